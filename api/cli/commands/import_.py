"""``tringledger import``: bring the past along, from files of several formats, with the same checks as callbacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from api.application.importing.csv_table import NAMES, PARAMETERS
from api.cli.console import note, progress
from api.cli.options import assignments, delimiter_character, printable_text, store_option, time_zone
from domain.errors import NoLedger

if TYPE_CHECKING:
    from api.application.importing.batches import ImportSummary, Record
    from api.application.importing.csv_table import TableLayout
    from api.application.importing.files import ImportFile
    from api.application.importing.rows import Format
    from api.application.importing.run import ImportRun
    from api.application.importing.vouched_rows import RowVoucher
    from api.settings import Settings
    from domain.notices.signature import Keyring

NDJSON, ACCESS_LOG, CSV = "ndjson", "access-log", "csv"


def _path(_context: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    if path is not None and not path.startswith("/"):
        msg = f"{path!r}: expected a path such as /notify"
        raise click.BadParameter(msg)
    return path


@click.command("import")
@click.argument("names", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--format",
    "kind",
    type=click.Choice([NDJSON, ACCESS_LOG, CSV]),
    default=NDJSON,
    show_default=True,
    help="What the files are.",
)
@click.option(
    "--source",
    metavar="NAME",
    callback=printable_text,
    help="What the notifications come from (default: the file's name, without .gz).",
)
@click.option("--dry-run", is_flag=True, help="Count what would be recorded, and write nothing.")
@click.option(
    "--path",
    metavar="PATH",
    callback=_path,
    help="access-log: the path that TringMe called (default: TRINGLEDGER_NOTIFY_PATH).",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    callback=assignments(*NAMES),
    help="csv: the column of a parameter, of received_at, id or query; an empty COLUMN means none. Repeatable.",
)
@click.option(
    "--set",
    "constants",
    multiple=True,
    metavar="NAME=VALUE",
    callback=assignments(*(name for name in PARAMETERS if name != "sig")),
    help="csv: a parameter that all rows have, such as type=cdr. Repeatable.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    callback=delimiter_character,
    help="csv: what separates values (default: a comma), or tab.",
)
@click.option(
    "--timezone", metavar="ZONE", callback=time_zone, help="csv: of times that name no offset (default: UTC)."
)
@click.option("--unsigned", is_flag=True, help="csv: take rows without a signature; with --by and --reason.")
@click.option(
    "--by",
    metavar="NAME",
    callback=printable_text,
    help="With --unsigned: who vouches for the rows; kept with each for ever.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    callback=printable_text,
    help="With --unsigned: why they are to be believed; kept with each for ever.",
)
@store_option
@click.pass_context
def import_(
    context: click.Context,
    names: tuple[str, ...],
    kind: str,
    source: str | None,
    dry_run: bool,
    path: str | None,
    columns: dict[str, str],
    constants: dict[str, str],
    delimiter: str | None,
    timezone: str | None,
    unsigned: bool,
    by: str | None,
    reason: str | None,
    store: str | None,
) -> None:
    """Record the notifications of files (plain or gzip, names or quoted patterns), or of stdin for -.

    Importing a file twice changes nothing, so an import that was interrupted is resumed by running it again. A line that
    cannot be read is reported and stops nothing; the exit code is then 1. Several files are taken in order of their
    first notifications' times. A ledger in a file is created where there is none.

    \b
    ndjson      one JSON object a line: received_at (ISO 8601 with offset) and query (the raw query string)
    access-log  "combined" or "common" lines of nginx and Apache: the GET requests to --path. Logs hold no bodies:
                POST requests to it are counted as unreadable, other requests are passed over.
    csv         a table with a header. Columns named like a parameter, received_at, id (of the row) or query (a raw
                query string) are taken, others by --column; the rest is left. An empty cell is a parameter that was
                not there. received_at is ISO 8601, YYYY-MM-DD HH:MM:SS, or Unix seconds. Where a quotation mark is
                never closed, all behind it is one line that cannot be read; its report says so.

    A table without a column sig or query needs --unsigned, --by and --reason. A row is then known by the source's name,
    by its id, else its time and its number among equal rows of its file, and by its parameters: two equal calls stay two,
    and the same table again changes nothing. Rename the file, and all of its rows are new: give a table that may move
    a --source of its own. Map other columns, and they are new too: try with --dry-run first. A row with a value that
    cannot be is reported as unreadable: mend the table and import it again.

    \b
    Examples:
      tringledger import october.ndjson
      tringledger import --format access-log --path /handler.php '/var/log/nginx/access.log*'
      tringledger import --format csv --source old-handler --column received_at=created --column srccharge=cost \\
        --set type=cdr --unsigned --by "A. Clerk" --reason "calls before October" --dry-run calls.csv
    """
    from api import settings
    from api.application.importing.csv_table import TableLayout
    from api.application.importing.files import STDIN, sort_by_time
    from api.application.importing.run import ImportRun

    _check(kind, {CSV: [columns, constants, delimiter, timezone, unsigned, by, reason], ACCESS_LOG: [path]})
    vouch = _vouch(by, reason, unsigned=unsigned)
    read = settings.load_settings(store=store)
    layout = TableLayout(columns, constants, delimiter or ",", timezone or "UTC", unsigned)
    path = path or read.notify_path
    rows = _rows(kind, path, layout)
    files = sort_by_time(_found(names), rows)
    if vouch and source is None and files[0].path == STDIN:
        raise click.UsageError("rows without a signature are known by their source: expected --source NAME for stdin")
    with _recorder(read, vouch or read.keyring(), dry_run=dry_run) as record:
        summary = _import(ImportRun(rows, vouch or read.keyring(), record, note, source), files)
    _tell(summary, path, dry_run=dry_run)
    context.exit(1 if summary.unreadable else 0)


def _check(kind: str, options: dict[str, list[object]]) -> None:
    for of_kind, given in options.items():
        if kind != of_kind and any(given):
            which = (
                "--path is" if of_kind == ACCESS_LOG else "--column, --set, --delimiter, --timezone and --unsigned are"
            )
            msg = f"{which} for --format {of_kind}, and this is {kind}"
            raise click.UsageError(msg)


def _found(names: Sequence[str]) -> list[ImportFile]:
    from api.application.importing.files import NoSuchFile, find_files

    try:
        return find_files(names)
    except NoSuchFile as error:
        raise click.UsageError(str(error)) from None


def _vouch(by: str | None, reason: str | None, *, unsigned: bool) -> RowVoucher | None:
    from api.application.importing.vouched_rows import RowVoucher

    if unsigned and by and reason:
        return RowVoucher(by, reason)
    if unsigned or by or reason:
        raise click.UsageError("expected all of --unsigned, --by NAME and --reason TEXT, or none of them")
    return None


def _rows(kind: str, path: str, layout: TableLayout) -> Format:
    from api.application.importing import access_log, ndjson
    from api.application.importing import csv_table as table

    if kind == ACCESS_LOG:
        return partial(access_log.access_log_rows, path=path)
    return partial(table.table_rows, layout=layout) if kind == CSV else ndjson.ndjson_rows


@contextmanager
def _recorder(read: Settings, proof: Keyring | RowVoucher, *, dry_run: bool) -> Iterator[Record]:
    from api.application.importing.dry_run import DryRun
    from api.application.importing.key_counter import KeyCounter
    from api.application.importing.throttle import ImportThrottle
    from domain.ledger import Ledger
    from domain.notices.signature import Keyring

    keyring = proof if isinstance(proof, Keyring) else None
    if not dry_run:
        with Ledger(read.store, keyring, read.ledger_options, create=read.creates) as ledger:
            yield ImportThrottle(ledger).record
        return
    with KeyCounter() as events, KeyCounter() as aside:
        try:
            ledger = Ledger(read.store, keyring, read.ledger_options)
        except NoLedger:
            if not read.creates:
                raise
            yield DryRun(None, read.quarantine_max, events, aside).record
            return
        with ledger:
            yield DryRun(ledger, read.quarantine_max, events, aside).record


def _import(how: ImportRun, files: Sequence[ImportFile]) -> ImportSummary:
    from api.application.importing.run import ImportRun, run_import

    sizes = [file.size for file in files if file.size is not None]
    total = sum(sizes) if len(sizes) == len(files) else None
    what = files[0].name if len(files) == 1 else f"{len(files)} files"
    with progress(f"Importing {what}", total, "bytes") as moved:
        return run_import(ImportRun(how.rows, how.proof, how.record, how.report, how.source, moved), files)


def _tell(summary: ImportSummary, path: str, *, dry_run: bool) -> None:
    if summary.bodiless:
        note(f"POST requests, unreadable because an access log does not hold their bodies: {summary.bodiless}")
    if summary.elsewhere:
        note(f"other requests, passed over: {summary.elsewhere}")
    said = (
        f"{summary.recorded} recorded, {summary.duplicate} duplicate, {summary.quarantined} quarantined"
        f" ({summary.newly_quarantined} new), {summary.unreadable} unreadable"
    )
    note(f"dry run, nothing was written: {said}" if dry_run else said)
    if summary.wrongly_signed == summary.quarantined > summary.recorded == summary.duplicate == 0:
        note("no signature fits: `tringledger signature identify` tells which formula would")
    if summary.elsewhere > summary.recorded + summary.duplicate + summary.quarantined + summary.bodiless == 0:
        note(f"no notification to {path!r} was found: if TringMe called another path, name it with --path")
