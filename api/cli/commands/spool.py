"""``tringledger spool``: list callbacks that wait on a disk, and replay a file that a dead host left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.console import note, print_json, print_table
from api.cli.exit_codes import DONE, FINDING
from api.cli.options import format_option, store_option
from domain import times

if TYPE_CHECKING:
    from api.application.spool.spool_scan import SpoolContents


@click.group()
def spool() -> None:
    """List callbacks that wait in a spool, and replay them."""


@spool.command("list")
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@format_option
@click.pass_context
def list_(context: click.Context, directory: Path | None, output: str) -> None:
    """List the spool files of a directory (default: TRINGLEDGER_SPOOL), of all hosts and ledgers.

    The exit code is 1 if callbacks wait in any of them. The store is not needed.

    \b
    Example:
      tringledger spool list
    """
    from api import settings
    from api.application.spool.spool_directory import SpoolDirectory

    directory = directory or settings.load_settings().spool
    if directory is None:
        raise click.UsageError("TRINGLEDGER_SPOOL is not set: expected a directory")
    found = [_document(each) for each in SpoolDirectory(directory, "").contents()]
    if output == "json":
        print_json(found)
    else:
        print_table(
            ["file", "ledger", "callbacks", "bytes", "oldest", "in use"], [list(each.values()) for each in found]
        )
    context.exit(FINDING if any(each["callbacks"] for each in found) else DONE)


@spool.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@store_option
def replay(file: Path, store: str | None) -> None:
    """Record what waits in a spool file, with the time at which each callback came, and remove the file.

    It is for files of a host that is dead, and for callbacks that were set aside; `serve` records what is in the other files of its host. What
    the log has already is a duplicate, which changes nothing, so you can repeat it. A file that a process is using is refused, and so is
    that of another ledger.

    \b
    Example:
      tringledger spool replay /mnt/old-disk/spool/8a6e0804-2bd0-4672-b79d-d97027f9071a-web1-1.spool
    """
    from contextlib import closing

    from api import settings
    from api.application.spool.spool_file import SpoolFile
    from api.application.spool.spool_replay import describe_counts, replay
    from domain.ledger import Ledger

    read = settings.load_settings(store=store)
    with (
        Ledger(read.store, read.keyring(), read.ledger_options) as ledger,
        closing(SpoolFile(file.absolute(), ledger.id)) as source,
    ):
        counts = replay(ledger, source)
        source.remove_if_empty()
    note(f"{file}: {describe_counts(counts)}")


def _document(found: SpoolContents) -> dict[str, Any]:
    from api.application.spool.spool_scan import is_in_use

    return {
        "file": str(found.path),
        "ledger": found.ledger,
        "callbacks": found.callbacks,
        "bytes": found.bytes,
        "oldest_at": None if found.oldest_at is None else times.iso(found.oldest_at),
        "in_use": is_in_use(found.path),
    }
