"""``tringledger import``: record notifications from a file, with the same checks as callbacks."""

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

import click

from api import settings
from api.commands.common import store_option
from api.importing import Summary, import_lines
from api.showing import progress, say
from domain.ledger import Ledger


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@store_option
@click.pass_context
def import_(context: click.Context, file: str, store: str | None) -> None:
    """Record the notifications of FILE, or of stdin for -.

    One JSON object a line: received_at (UTC, ISO 8601) and query (the raw query string). Importing a file twice changes
    nothing, so an import that was interrupted is resumed by running it again. A line that cannot be read is reported
    and stops nothing; the exit code is then 1. The ledger is created where there is none.

    \b
    Examples:
      tringledger import october.ndjson
      zcat october.ndjson.gz | tringledger import -
    """
    read = settings.load(store=store)
    with Ledger(read.store, read.keyring(), read.terms, create=True) as ledger:
        if file == "-":
            summary = _import(ledger, sys.stdin.buffer, "stdin", None)
        else:
            with Path(file).open("rb") as opened:
                summary = _import(ledger, opened, Path(file).name, _size(opened))
    click.echo(
        f"{summary.recorded} recorded, {summary.duplicate} duplicate, {summary.quarantined} quarantined"
        f" ({summary.kept_aside} new), {summary.unreadable} unreadable",
        err=True,
    )
    context.exit(1 if summary.unreadable else 0)


def _import(ledger: Ledger, file: BinaryIO, name: str, size: int | None) -> Summary:
    with progress(f"Importing {name}", size, "bytes") as moved:
        return import_lines(
            ledger,
            file,
            name,
            unreadable=lambda number, reason: say(f"{name}, line {number} is unreadable: {reason}"),
            progress=lambda read, _summary: moved(read),
        )


def _size(file: BinaryIO) -> int | None:
    """Return a file's size in bytes, or None where it has none to show (a pipe)."""
    about = os.fstat(file.fileno())
    return about.st_size if stat.S_ISREG(about.st_mode) else None
