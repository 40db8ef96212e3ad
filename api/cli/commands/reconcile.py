"""``tringledger reconcile``: compare the ledger's CDRs with a statement of TringMe, record by record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from api.application.reconciliation.columns import NAMES, NumberFormat
from api.cli.console import note, note_span, progress
from api.cli.exit_codes import FINDING
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import (
    assignments,
    catch_up_option,
    delimiter_character,
    report_format_option,
    span_options,
    store_option,
    time_zone,
)
from domain import times

if TYPE_CHECKING:
    from api.application.reconciliation.record_spool import RecordSpool
    from api.application.reconciliation.run import ReconciliationOptions, ReconciliationResult
    from projections.queries.selection import Selection

_SCALE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def _scale(_context: click.Context, _option: click.Parameter, text: str) -> Decimal:
    if not _SCALE.fullmatch(text) or not Decimal(text):
        msg = f"{text!r}: expected a plain decimal over 0, such as 100"
        raise click.BadParameter(msg)
    return Decimal(text)


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else times.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("name", metavar="FILE")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=COLUMN",
    callback=assignments(*NAMES),
    help="The statement's column for the tag, src, time, a duration or a charge; an empty COLUMN means none. Repeatable.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    callback=delimiter_character,
    help="CSV: the character between values (default: a comma), or the word tab.",
)
@click.option(
    "--timezone", metavar="ZONE", callback=time_zone, help="The time zone of times without an offset (default: UTC)."
)
@click.option(
    "--records", "path", metavar="PATH", help="JSON: where the records are in nested objects, such as result.data."
)
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    default="point",
    show_default=True,
    help="How charges are written: 1.5, or 1,5 (then with points between thousands).",
)
@click.option(
    "--scale",
    metavar="NUMBER",
    default="1",
    callback=_scale,
    help="By what the statement's charges are multiplied, such as 100 if they are in dollars (default: 1).",
)
@click.option("--date-format", metavar="FORMAT", help="The form of times, such as '%d.%m.%Y %H:%M' (as in strptime).")
@click.option(
    "--relative-to",
    metavar="TIME",
    callback=_moment,
    help="Times are seconds before this one (ISO 8601 with its offset), as in answers of TringMe's API.",
)
@click.option("--tag", help="Only this tag.")
@span_options
@click.option(
    "--tolerance",
    metavar="SECONDS",
    type=click.IntRange(0, 3600),
    default=2,
    show_default=True,
    help="Maximum difference per leg, in seconds.",
)
@click.option(
    "--window",
    metavar="SECONDS",
    type=click.IntRange(0, 7 * 86400),
    default=300,
    show_default=True,
    help="Maximum distance between a record's time and our call, in seconds.",
)
@click.option("--all", "every", is_flag=True, help="Include records that agree.")
@report_format_option
@catch_up_option
@store_option
@click.pass_context
def reconcile(
    context: click.Context,
    name: str,
    columns: dict[str, str],
    delimiter: str | None,
    timezone: str | None,
    path: str | None,
    decimal: str,
    scale: Decimal,
    date_format: str | None,
    relative_to: int | None,
    tag: str | None,
    since: str | None,
    until: str | None,
    through: str | None,
    period: str | None,
    tolerance: int,
    window: int,
    every: bool,
    form: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Compare CDRs with a statement of TringMe, record by record.

    FILE is CSV with a header, a JSON array of objects, or one object a line; plain or gzip; - is stdin. The columns tag, src,
    time, src_duration, dest_duration, src_charge, dest_charge, src_sip_charge, dest_sip_charge, cost and sip_credits (the sums
    of both legs) are found by these names and by TringMe's, others with --column. Columns that the statement does not have
    are not compared. Without src, records are matched by tag alone. A missing number is 0. Durations are seconds, mm:ss
    or h:mm:ss. A local time in the hour that comes twice is tried as both.

    Records of the same tag and number are matched one to one, within --window: first those that agree exactly, then as many
    as possible with the least total difference (a second counts as a cent, and as a SIP credit). Where more than 200 records
    of a side are near each other and none agrees exactly, they are matched in order of time. Each record is then in one class:

    \b
    exact              all numbers agree
    within-tolerance   durations differ by --tolerance at most, charges by nothing
    duration-differs   a duration differs by more
    price-differs      a charge differs
    missing-here       only the statement has it
    missing-there      only the ledger has it

    --tag, --from, --to, --through and --period select records on both sides; a record outside may still match one inside. Without
    them, the whole ledger is compared. The exit code is 1 unless all records are exact or within tolerance and all lines
    are readable.

    \b
    Examples:
      tringledger reconcile --period 2026-10 october.csv
      tringledger reconcile --column tag=Name --column dest_duration=Seconds --column cost=Charge --format csv records.json
    """
    from api.application.reconciliation.carrier_statement import CarrierLayout
    from api.application.reconciliation.classes import AGREED
    from api.application.reconciliation.run import (
        ReconciliationOptions,
        ReconciliationResult,
        classified_pairs,
        spool_ledger,
    )
    from api.cli import reconcile_report as report

    show = {"table": report.report_tables, "json": report.report_json, "csv": report.report_csv}[form]
    with open_ledger(store) as (ledger, _):
        limits = _limits(tag, (since, until, through), period, ledger.timezone)
        note_span(limits.since, limits.until, ledger.timezone)
        terms = ReconciliationOptions(
            CarrierLayout(
                *(columns, delimiter or ",", timezone or "UTC", ledger.line_rule, path),
                *(NumberFormat(decimal == "comma", scale), date_format, relative_to),
            ),
            limits,
            tolerance,
            window * times.SECOND,
        )
        outcome = ReconciliationResult()
        with _spooled(name, terms, outcome) as spool, read_models(ledger, caught_up=not no_catch_up) as read_store:
            spool_ledger(spool, ledger, read_store, terms, outcome)
            records = classified_pairs(spool, terms, outcome)
            show((each for each in records if every or each.verdict not in AGREED), outcome)
    _tell(context, outcome)


def _limits(
    tag: str | None, span: tuple[str | None, str | None, str | None], period: str | None, timezone: str
) -> Selection:
    """Read the limits; ``span`` is its beginning, its end if that is excluded, and its end if that is taken in."""
    from projections.queries import conditions
    from projections.queries.time_points import read_month

    if period and any(span):
        raise click.UsageError("expected either --period, or --from and --to or --through")
    month = period and str(read_month(period))
    since, until, through = (month, None, month) if month else span
    return conditions.build_selection("cdrs", tag=tag, since=since, until=until, through=through, timezone=timezone)


@contextmanager
def _spooled(name: str, terms: ReconciliationOptions, outcome: ReconciliationResult) -> Iterator[RecordSpool]:
    from api.application.importing.files import CutOff, NoSuchFile, find_files
    from api.application.reconciliation.run import spool_statement

    try:
        files = find_files([name])
    except NoSuchFile as error:
        raise click.UsageError(str(error)) from None
    if len(files) > 1:
        msg = f"{name!r} names {len(files)} files; expected one statement"
        raise click.UsageError(msg)
    (file,) = files
    with progress(f"Reading {file.name}", file.size, "bytes") as moved:
        try:
            spool = spool_statement(
                file, terms, outcome, lambda line, why: note(f"{file.name}, line {line}: {why}"), moved
            )
        except CutOff as error:
            msg = f"{file.name}: {error}"
            raise CutOff(msg) from error
    with spool:
        yield spool


def _tell(context: click.Context, outcome: ReconciliationResult) -> None:
    from api.application.reconciliation.classes import AGREED

    counts = {verdict: total.records for verdict, total in outcome.by_class().items()}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    note(said + (f", {outcome.unreadable} unreadable" if outcome.unreadable else ""))
    if (factor := outcome.factor.factor) is not None:
        note(
            f"all charges of the statement are {_decimal(factor)} times ours: is it in another unit? --scale {_decimal(1 / factor)} makes"
            " them equal"
        )
    agreed = sum(counts[verdict] for verdict in AGREED) == sum(counts.values())
    context.exit(FINDING if outcome.unreadable or not agreed else 0)


def _decimal(factor: Fraction) -> str:
    """Return a factor as a decimal with at most nine digits after the point, or as a fraction if it has more."""
    parts = factor * 10**9
    if parts.denominator != 1:
        return str(factor)
    return f"{Decimal(parts.numerator).scaleb(-9).normalize():f}"
