"""``tringledger import``: record notifications from files of several formats, with the same checks as callbacks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from api.application.importing.csv_table import NAMES, PARAMETERS
from api.application.importing.rows import ACCESS_LOG, CSV, NDJSON
from api.cli.console import note, progress
from api.cli.options import assignments, delimiter_character, printable_text, store_option, time_zone
from domain.errors import NoLedger

if TYPE_CHECKING:
    from api.application.importing.batches import ImportSummary, Recorder
    from api.application.importing.csv_table import TableLayout
    from api.application.importing.files import ImportFile
    from api.application.importing.rows import Format
    from api.application.importing.run import ImportRun
    from api.application.importing.vouched_rows import RowVoucher
    from api.settings import Settings
    from domain.notices.signature import Keyring

MISSED_SHOWN_MAX = 3


def _path(_context: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    if path is not None and not path.startswith(("/", "*")):
        msg = f"{path!r}: expected a path such as /notify or '*/notify'"
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
    help="The format of the files.",
)
@click.option(
    "--source",
    metavar="NAME",
    callback=printable_text,
    help="The name of the source, kept with each event (default: the file's name without .gz).",
)
@click.option("--dry-run", is_flag=True, help="Count what would be recorded; write nothing.")
@click.option(
    "--path",
    metavar="PATH",
    callback=_path,
    help="access-log: the path that TringMe called; * stands for any text (default: TRINGLEDGER_NOTIFY_PATH).",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    callback=assignments(*NAMES),
    help="csv: the column for a parameter, received_at, id or query; an empty COLUMN means none. Repeatable.",
)
@click.option(
    "--set",
    "constants",
    multiple=True,
    metavar="NAME=VALUE",
    callback=assignments(*(name for name in PARAMETERS if name != "sig")),
    help="csv: a parameter with the same value in all rows, such as type=cdr. Repeatable.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    callback=delimiter_character,
    help="csv: the character between values (default: a comma), or the word tab.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=time_zone,
    help="csv: the time zone of times without an offset (default: UTC).",
)
@click.option(
    "--fold",
    type=click.Choice(["0", "1"]),
    help="csv: which time is meant in the hour that comes twice when clocks go back: 0, the first, or 1.",
)
@click.option(
    "--null",
    "nulls",
    multiple=True,
    metavar="TEXT",
    help="csv: a text that stands for an empty cell, such as NULL or \\N. Repeatable.",
)
@click.option("--unsigned", is_flag=True, help="csv: accept rows without a signature; needs --by and --reason.")
@click.option(
    "--by",
    metavar="NAME",
    callback=printable_text,
    help="With --unsigned: who vouches for the rows; kept permanently with each.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    callback=printable_text,
    help="With --unsigned: why the rows can be trusted; kept permanently with each.",
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
    fold: str | None,
    nulls: tuple[str, ...],
    unsigned: bool,
    by: str | None,
    reason: str | None,
    store: str | None,
) -> None:
    """Record notifications from files, or from stdin for -.

    Files are plain or gzip; FILE can be a quoted pattern. Importing a file twice changes nothing, so you can resume an interrupted import by running it again. Lines that cannot
    be read are reported and skipped; the exit code is then 1, as it is if no signature fits. Files are read in order of the time of their first
    notification. A ledger in a file is created if it does not exist.

    \b
    ndjson      one JSON object a line: received_at (ISO 8601 with offset) and query (the raw query string)
    access-log  the GET requests to --path in logs of nginx and Apache ("combined" or "common"), in logs with one JSON
                object a line, and in W3C logs of IIS. Logs do not have bodies: POST requests to --path count as
                unreadable. Other requests are skipped.
    csv         a table with a header. Columns named like a parameter, received_at, id (of the row) or query (a raw
                query string) are read, others with --column; the rest is ignored. An empty cell means that the
                parameter is missing. received_at is ISO 8601, YYYY-MM-DD HH:MM:SS, or Unix seconds. If a quotation
                mark is never closed, everything after it is one unreadable line, and the report says so.

    A table without a column sig or query needs --unsigned, --by and --reason. Such a row is identified by the name of
    the source, by its id (or else by its time and its number among equal rows of its file), and by its parameters. So
    two equal calls stay two calls, and importing the same table again changes nothing. If you rename the file or map
    other columns, all rows are new: set --source for a table that may move, and try with --dry-run first. Rows with
    impossible values are reported as unreadable: correct the table and import it again. A row whose source and id were
    recorded before with other values is in conflict: it is reported and not recorded, and the exit code is 1. Rows without
    an id cannot be in conflict.

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

    _check(
        kind, {CSV: [columns, constants, delimiter, timezone, fold, nulls, unsigned, by, reason], ACCESS_LOG: [path]}
    )
    vouch = _vouch(by, reason, unsigned=unsigned)
    read = settings.load_settings(store=store)
    layout = TableLayout(
        columns, constants, delimiter or ",", timezone or "UTC", unsigned, frozenset(nulls), int(fold) if fold else None
    )
    path = path or read.notify_path
    rows = _rows(kind, path, layout)
    files = sort_by_time(_found(names), rows)
    if vouch and source is None and files[0].path == STDIN:
        raise click.UsageError(
            "expected --source NAME for unsigned rows from stdin, which are identified by their source"
        )
    with _recorder(read, vouch or read.keyring(), dry_run=dry_run) as recorder:
        summary = _import(ImportRun(rows, vouch or read.keyring(), recorder, note, source), files)
    _tell(summary, path, dry_run=dry_run)
    context.exit(1 if summary.unreadable or summary.in_conflict or summary.refused_all else 0)


def _check(kind: str, options: dict[str, list[object]]) -> None:
    for of_kind, given in options.items():
        if kind != of_kind and any(given):
            which = (
                "--path is only"
                if of_kind == ACCESS_LOG
                else "--column, --set, --delimiter, --timezone, --fold, --null and --unsigned are only"
            )
            msg = f"{which} for --format {of_kind}; got --format {kind}"
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
    from api.application.importing.format_detection import checked_format

    if kind == ACCESS_LOG:
        return checked_format(kind, partial(access_log.access_log_rows, path=path))
    return checked_format(kind, partial(table.table_rows, layout=layout) if kind == CSV else ndjson.ndjson_rows)


@contextmanager
def _recorder(read: Settings, proof: Keyring | RowVoucher, *, dry_run: bool) -> Iterator[Recorder]:
    from api.application.importing.dry_run import DryRun
    from api.application.importing.key_counter import KeyCounter
    from api.application.importing.throttle import ImportThrottle
    from domain.ledger import Ledger
    from domain.notices.signature import Keyring

    keyring = proof if isinstance(proof, Keyring) else None
    if not dry_run:
        with Ledger(read.store, keyring, read.ledger_options, create=read.creates) as ledger:
            yield ImportThrottle(ledger)
        return
    with KeyCounter() as events, KeyCounter() as aside:
        try:
            ledger = Ledger(read.store, keyring, read.ledger_options)
        except NoLedger:
            if not read.creates:
                raise
            yield DryRun(None, read.quarantine_max, events, aside)
            return
        with ledger:
            yield DryRun(ledger, read.quarantine_max, events, aside)


def _import(how: ImportRun, files: Sequence[ImportFile]) -> ImportSummary:
    from api.application.importing.run import ImportRun, run_import

    sizes = [file.size for file in files if file.size is not None]
    total = sum(sizes) if len(sizes) == len(files) else None
    what = files[0].name if len(files) == 1 else f"{len(files)} files"
    with progress(f"Importing {what}", total, "bytes") as moved:
        return run_import(ImportRun(how.rows, how.proof, how.recorder, how.report, how.source, moved), files)


def _tell(summary: ImportSummary, path: str, *, dry_run: bool) -> None:
    if summary.bodiless:
        note(f"{summary.bodiless} POST requests are unreadable, because an access log does not have their bodies")
    if summary.elsewhere:
        note(f"{summary.elsewhere} other requests skipped")
    if summary.without_id:
        note(f"{summary.without_id} rows have no id: if their values change, a later import takes them for other calls")
    said = (
        f"{summary.recorded} recorded, {summary.duplicate} duplicate, {summary.quarantined} quarantined"
        f" ({summary.newly_quarantined} new), {summary.unreadable} unreadable"
        + (f", {summary.in_conflict} in conflict" if summary.in_conflict else "")
    )
    note(f"dry run, nothing written: {said}" if dry_run else said)
    if summary.in_conflict:
        note(
            "rows in conflict were not recorded. If the new values are right, void the call (`tringledger call void`), and import the row"
            " under another id"
        )
    if summary.refused_all:
        note(
            "no signature fits: the key or the formula is wrong; `tringledger signature identify` finds the formula that would fit"
        )
    for missed, count in sorted(summary.missed.items(), key=lambda each: -each[1])[:MISSED_SHOWN_MAX]:
        there = shlex.quote(missed) if missed.isprintable() else repr(missed)
        note(f"{count} requests with f=tm were to another path: if TringMe called it, import again with --path {there}")
    is_none_there = summary.recorded + summary.duplicate + summary.quarantined + summary.bodiless == 0
    if summary.elsewhere and is_none_there and not summary.missed:
        note(f"no notification to {path!r} found; if TringMe called another path, set --path")
