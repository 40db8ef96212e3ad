"""``tringledger export``: a read model as a file, exact to the last digit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import click

from api.cli.console import Moved, note, note_span, progress
from api.cli.ledger_access import open_ledger, read_models, read_models_as_of
from api.cli.options import as_of_option, catch_up_option, output_options, span_options, store_option
from domain import times
from projections.journal.syntax import Language

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from domain.ledger import Ledger
    from projections.queries.log_points import LogPoint
    from projections.queries.selection import Selection
    from projections.stores.generations import ReadStore

FORMATS = ("csv", "parquet", "json", "ndjson", "xlsx")
JOURNAL = "journal"
# Their names, not the tables themselves: those need SQLAlchemy, which a help has no use for.
MODELS = (
    "calls",
    "cdrs",
    "billing",
    "billing-days",
    "voicemails",
    "channels",
    "exceptions",
    "resolutions",
    "postings",
    "closings",
    "tariffs",
    "operator-events",
    "entries",
)
OVERDUE = ("stale", "missing-cdr")
LANGUAGES = tuple(language.value for language in Language)
# How hledger names its files, too: .journal and .j.
SUFFIXES = {f".{form}": form for form in (*FORMATS, *LANGUAGES)} | {".jsonl": "ndjson"}
SUFFIXES |= dict.fromkeys((".journal", ".j"), Language.HLEDGER.value)


class _Layout(NamedTuple):
    """How rows are laid out: their order, their columns (all, or as ``--cols`` names them), and whether CSV is safe for spreadsheets."""

    sort: str
    cols: str | None
    excel_safe: bool

    @property
    def columns(self) -> list[str]:
        return [] if self.cols is None else self.cols.split(",")


@click.command()
@click.argument("model", type=click.Choice([*MODELS, JOURNAL]))
@output_options((*FORMATS, *LANGUAGES), "csv", "The file's format; hledger and beancount are for the journal", SUFFIXES)
@click.option("--tag", help="Only rows with this tag; * stands for any text, as in 'dept-*'.")
@click.option("--account", help="Only rows of this account (cdrs and billing).")
@click.option(
    "--number", help="Only rows of this phone number, in any spelling; * stands for any digits, as in '*4567'."
)
@click.option(
    "--disposition", help="Only rows with this disposition, such as ANSWERED or 'NO ANSWER' (calls and cdrs)."
)
@click.option("--flag", help="Only rows with this flag, such as missing-opening (calls, cdrs and exceptions).")
@click.option("--state", help="Only calls in this state: in-progress or ended.")
@span_options
@click.option(
    "--sort", default="", help="A column to sort by, as pages do; with - before it, the highest first: --sort=-price."
)
@click.option(
    "--cols", metavar="NAMES", help="The columns to write, in this order, separated by commas: price,call_id."
)
@click.option(
    "--waiting",
    type=click.Choice(OVERDUE),
    help="Only overdue calls: in progress but silent for too long (stale), or ended without their CDR.",
)
@click.option(
    "--excel-safe", is_flag=True, help="CSV: protect texts that a spreadsheet would read as formulas or numbers."
)
@as_of_option
@catch_up_option
@store_option
def export(
    model: str,
    form: str,
    output: Path | None,
    tag: str | None,
    account: str | None,
    number: str | None,
    disposition: str | None,
    flag: str | None,
    state: str | None,
    since: str | None,
    until: str | None,
    through: str | None,
    period: str | None,
    sort: str,
    cols: str | None,
    waiting: str | None,
    excel_safe: bool,
    as_of: str | None,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Write a read model to a file, or to stdout.

    A file is written under a temporary name and then renamed, so it is never incomplete. Days and months are those of
    the billing time zone; --to itself is excluded, --through is taken in. Amounts are US cents or SIP credits.

    With --as-of the rows are built from the log up to a position, or up to the last event recorded at or before a time.
    The live read models are not used, so --no-catch-up has no effect.

    `journal` is the books in double entry, for hledger or beancount, in US dollars; select with --account and --period.

    \b
    Examples:
      tringledger export billing
      tringledger export cdrs --period 2026-10 -o october.xlsx
      tringledger export cdrs --cols account,price,call_id --sort=-price
      tringledger export calls --waiting missing-cdr
      tringledger export cdrs --account acme-000123 --from 2026-10-01 --through 2026-10-07 --format json
      tringledger export billing --as-of 2026-11-01
      tringledger export journal -o books.beancount
    """
    from projections.journal import export as journal_export
    from projections.queries import conditions
    from projections.queries.log_points import resolve_point
    from projections.queries.selection import OverdueFilter

    layout = _Layout(sort, cols, excel_safe)
    _check_options(model, form, layout)
    with open_ledger(store) as (ledger, _):
        past = None if as_of is None else resolve_point(ledger, as_of)
        wanted = conditions.build_selection(
            journal_export.MODEL if model == JOURNAL else model,
            tag=tag,
            account=account,
            number=number,
            disposition=disposition,
            flag=flag,
            state=state,
            since=since,
            until=until,
            through=through,
            period=period,
            waiting=OverdueFilter(waiting, ledger.options.window, past.at if past else times.now())
            if waiting
            else None,
            timezone=ledger.timezone,
            line_rule=ledger.line_rule,
        )
        note_span(wanted.since, wanted.until, ledger.timezone)
        reading = _read_store(ledger, past, model, caught_up=not no_catch_up)
        with reading as read_store, progress("Exporting", None, "rows") as moved:
            target = output or sys.stdout.buffer
            if model == JOURNAL:
                rows = journal_export.write_journal(ledger, read_store, wanted, form, target, moved)
            else:
                rows = _write(ledger, read_store, model, wanted, form, target, layout, moved)
    if output:
        note(f"{rows} rows in {output}")


def _read_store(
    ledger: Ledger, past: LogPoint | None, model: str, *, caught_up: bool
) -> AbstractContextManager[ReadStore]:
    if past is None:
        return read_models(ledger, caught_up=caught_up)
    return read_models_as_of(
        ledger, past.position, None if model == JOURNAL else model
    )  # A journal is made of several.


def _check_options(model: str, form: str, layout: _Layout) -> None:
    if (model == JOURNAL) != (form in LANGUAGES):
        msg = f"cannot write {model} as {form}; expected {' or '.join(LANGUAGES if model == JOURNAL else FORMATS)}"
        raise click.UsageError(msg)
    if model == JOURNAL and layout.sort:
        msg = f"got --sort {layout.sort} for the journal; expected none: it is in the order of days"
        raise click.UsageError(msg)
    if model == JOURNAL and layout.cols is not None:
        msg = f"got --cols {layout.cols} for the journal; expected none: it has no columns"
        raise click.UsageError(msg)


def _write(
    ledger: Ledger,
    read_store: ReadStore,
    model: str,
    wanted: Selection,
    form: str,
    target: Path | BinaryIO,
    layout: _Layout,
    moved: Moved,
) -> int:
    # pyarrow takes half a second to load, which no other command should pay.
    from projections.export import writer as exports

    return exports.write_export(
        ledger,
        read_store,
        model,
        wanted,
        form,
        target,
        sort=layout.sort,
        columns=layout.columns,
        excel_safe=layout.excel_safe,
        progress=moved,
    )
