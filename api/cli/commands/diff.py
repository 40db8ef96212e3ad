"""``tringledger diff``: how billing changed between two states of the ledger, per account and month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from api.cli.console import note, print_csv, print_json, print_table, progress
from api.cli.ledger_access import open_ledger
from api.cli.options import report_format_option, store_option
from domain import amounts, times

if TYPE_CHECKING:
    from domain.ledger import Ledger
    from projections.queries.billing_changes import BillingChange
    from projections.queries.log_points import LogPoint

MOMENTS_MAX = 2
MONTH = ("account", "period")
EVENT = ("position", "event", "call_id", "by", "reason")

Sums = dict[tuple[str, str], list[int]]


class LogSpan(NamedTuple):
    """The first and the last state, and the account and month to compare (None: all)."""

    first: LogPoint
    last: LogPoint
    account: str | None
    period: str | None


@click.command()
@click.option(
    "--as-of",
    "moments",
    metavar="POSITION|TIME",
    multiple=True,
    help="First --as-of is the start, second the end (default: now).",
)
@click.option("--account", help="Only this account.")
@click.option("--period", metavar="YYYY-MM", help="Only changes to the bill of this month.")
@click.option("--events", is_flag=True, help="Also list each event that changed something, with its amounts.")
@report_format_option
@store_option
@click.pass_context
def diff(
    context: click.Context,
    moments: tuple[str, ...],
    account: str | None,
    period: str | None,
    events: bool,
    form: str,
    store: str | None,
) -> None:
    """Show how billing changed between two states of the ledger.

    Lists the differences of calls, cost, SIP credits, price and margin, per account and month.

    --as-of takes a position of the log or a time, as in export. The exit code is 1 if anything changed, else 0. With
    --events, CSV has the events instead of the sums.

    \b
    Examples:
      tringledger diff --as-of 2026-11-01
      tringledger diff --as-of 2026-11-01 --as-of 2026-11-08 --period 2026-10 --events
      tringledger diff --as-of 120345 --format csv > changed.csv
    """
    from projections.schema.tables import TOTALS

    if not 1 <= len(moments) <= MOMENTS_MAX:
        raise click.UsageError("expected one or two --as-of")
    with open_ledger(store) as (ledger, _):
        between = _between(ledger, moments, account, period)
        sums: Sums = {}
        caused = _adding_up(ledger, between, sums)
        if events and form == "csv":
            # As they come: they may be as many as the log has events.
            print_csv((*EVENT, *MONTH, *TOTALS), map(_event, caused))
        kept = [change for change in caused if events]
    changed = {key: totals for key, totals in sorted(sums.items()) if any(totals)}
    if form == "json":
        print_json(_document(between, changed, kept if events else None))
    elif form == "table":
        _print(between, changed, kept)
    elif not events:
        print_csv((*MONTH, *TOTALS), [(*key, *_shown(totals)) for key, totals in changed.items()])
    context.exit(1 if changed else 0)


def _between(ledger: Ledger, moments: tuple[str, ...], account: str | None, period: str | None) -> LogSpan:
    from projections.queries.conditions import build_selection
    from projections.queries.log_points import resolve_point
    from projections.queries.time_points import SelectionError

    build_selection("billing", account=account, period=period, timezone=ledger.timezone)
    first = resolve_point(ledger, moments[0])
    last = resolve_point(ledger, moments[1] if len(moments) == MOMENTS_MAX else ledger.head())
    if last.position < first.position:
        msg = f"position {last.position} comes before position {first.position}: expected the earlier --as-of first"
        raise SelectionError(msg)
    return LogSpan(first, last, account, period)


def _adding_up(ledger: Ledger, between: LogSpan, sums: Sums) -> Iterator[BillingChange]:
    """Yield the changes of the account and month, and add them to ``sums``."""
    from projections.queries.billing_changes import billing_changes
    from projections.schema.tables import TOTALS

    first, last = between.first.position, between.last.position
    with progress("Comparing", last - first, "events") as moved:
        for change in chain.from_iterable(billing_changes(ledger, first, last, moved)):
            if between.account in (None, change.account) and between.period in (None, change.period):
                totals = sums.setdefault((change.account, change.period), [0] * len(TOTALS))
                totals[:] = map(add, totals, change.totals)
                yield change


def _event(change: BillingChange) -> tuple[Any, ...]:
    return (*change[: len(EVENT)], change.account, change.period, *_shown(change.totals))


def _shown(totals: Iterable[int]) -> Iterator[str | int]:
    """Return differences as billing shows them: amounts as exact decimals, the rest as numbers."""
    from projections.schema.column_kinds import ColumnKind, column_kind
    from projections.schema.tables import BILLING, TOTALS

    for name, value in zip(TOTALS, totals, strict=True):
        yield amounts.plain(value) if column_kind(BILLING.c[name]) is ColumnKind.TOTAL else value


def _document(between: LogSpan, sums: Sums, caused: list[BillingChange] | None) -> dict[str, Any]:
    from projections.schema.tables import TOTALS

    document: dict[str, Any] = {
        "from": _moment(between.first),
        "to": _moment(between.last),
        "changes": [dict(zip((*MONTH, *TOTALS), (*key, *_shown(totals)), strict=True)) for key, totals in sums.items()],
    }
    if caused is not None:
        document["events"] = [dict(zip((*EVENT, *MONTH, *TOTALS), _event(each), strict=True)) for each in caused]
    return document


def _moment(point: LogPoint) -> dict[str, Any]:
    return {"position": point.position, "at": times.iso(point.at) if point.at else None}


def _print(between: LogSpan, sums: Sums, caused: list[BillingChange]) -> None:
    from projections.schema.tables import TOTALS

    span = f"position {between.first.position} and position {between.last.position}"
    if not sums:
        note(f"no billing changes between {span}")
    else:
        shown = [(*key, *_signed(totals)) for key, totals in sums.items()]
        print_table((*MONTH, *TOTALS), shown, may_be_records=True)
        note(f"billing changes between {span}")
    if caused:
        click.echo()
        each_shown = [(*_event(each)[: -len(TOTALS)], *_signed(each.totals)) for each in caused]
        print_table((*EVENT, *MONTH, *TOTALS), each_shown, may_be_records=True)


def _signed(totals: Iterable[int]) -> Iterator[str]:
    for total, shown in zip(totals, _shown(totals), strict=True):
        yield f"+{shown}" if total > 0 else str(shown)
