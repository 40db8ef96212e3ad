"""The billing page: each account by day or month, as a chart and as the table behind the chart.

Every cell links to the CDRs that it sums up and to the other postings; their total is the cell's, to the last
digit.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages import date_range as spans
from api.web.pages.chart_scale import read_scale
from api.web.pages.date_range import DateRange
from api.web.pages.lists import WHOLE
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from projections.queries import billing_overview as overview
from projections.queries.billing_overview import MONTH, NOTHING, BillingTotals, together
from projections.queries.time_points import SelectionError

SERIES_MAX = 8
ROWS = 100
# So many months of accounts the page itself sums up, within some thirty milliseconds; the fragment sums up any number. By day an account
# has 31 rows a month, which are read for the chart, and for accounts, too, unless the span consists of months; and days are looked for
# among those of all time.
SUMMED_BY_MONTH_MAX, SUMMED_BY_DAY_MAX, SUMMED_OF_DAYS_MAX = 60_000, 2_000, 500
SEARCHED_BY_DAY_MAX = 5_000
# What a chart can show.
MEASURES = {
    "price": "Price",
    "cost": "Cost",
    "margin": "Margin",
    "calls": "Calls",
    "billed_seconds": "Billed time",
}


class ChartCell(NamedTuple):
    """The measure of one account, or of all others, in one step; ``query`` selects its CDRs if filters can."""

    value: int
    query: dict[str, str] | None


class ChartRow(NamedTuple):
    """A step of a chart: its cells in the order of the chart's accounts, and the total of all accounts."""

    step: str
    cells: list[ChartCell]
    total: ChartCell


class BillingChart(NamedTuple):
    """A chart: the accounts with a colour of their own, how many others there are, and a row for each step."""

    measure: str
    accounts: list[str]
    others: int
    lines: list[ChartRow]


class AccountTotals(NamedTuple):
    """An account's totals in a span, and in the span before if it was billed anything then."""

    name: str
    now: BillingTotals
    before: BillingTotals | None


def routes() -> list[GuardedRoute]:
    """Return the page of billing, and the fragment of what is summed up for a while."""
    return [
        GuardedRoute("/billing", with_error_pages(partial(billing, "billing.html")), Role.READ, name="billing"),
        GuardedRoute(
            "/fragments/billing",
            with_error_pages(partial(billing, "billing_accounts.html")),
            Role.READ,
            name="billing_accounts",
        ),
    ]


def billing(template: str, request: Request) -> Response:
    """Show a span, on the page or as its fragment."""
    query, state = request.query_params, request.app.state
    measure, account, page = read_measure(query), query.get("account") or None, read_page(query)
    filters = {name: query[name] for name in ("from", "to", "through", "period", "account", AS_OF) if query.get(name)}
    point = read_as_of(state.ledger, filters.get(AS_OF, "").strip())
    kept = {AS_OF: filters[AS_OF]} if AS_OF in filters else {}
    scale = read_scale(query)
    with read_session_as_of(request, point) as room:
        latest = overview.latest_month(room.connection, account)
        try:
            span = spans.read_date_range(query, room.ledger.timezone, state.clock(), latest)
        except SelectionError as error:
            return render(request, "billing.html", status=400, filters=filters, problem=str(error), span=None)
        summed: dict[str, Any] = {"chart": None}
        if account is not None or _is_summed(request, room, span):
            accounts = compare_spans(room, span, account)
            summed = {
                "chart": billing_chart(room, span, measure, accounts, account, kept),
                "accounts": accounts[(page - 1) * ROWS : page * ROWS],
                "pages": -(-len(accounts) // ROWS),
                "total": AccountTotals("", together(each.now for each in accounts), _before(accounts)),
            }
    return render(
        request,
        template,
        filters=filters,
        problem="",
        span=span,
        timezone=state.ledger.timezone,
        measures=MEASURES,
        measure=measure,
        page=page,
        kept=kept,
        scale=scale,
        as_of=describe_as_of(point, state.ledger.timezone),
        **summed,
    )


def _is_summed(request: Request, room: ReadSession, span: DateRange) -> bool:
    """Whether all accounts are summed up now: few by the page, many by its fragment, or by the page for those who ask for it."""
    if request.query_params.get(WHOLE) or request.url.path.startswith("/fragments/"):
        return True
    most = SUMMED_BY_MONTH_MAX
    if span.by != MONTH:
        if overview.are_more_account_months(room.connection, SEARCHED_BY_DAY_MAX):
            return False
        most = SUMMED_BY_DAY_MAX if span.is_of_months else SUMMED_OF_DAYS_MAX
    return not overview.are_more_account_months(room.connection, most, str(span.first), str(span.last))


def read_measure(query: Mapping[str, str]) -> str:
    """Return the measure that a chart shows; raises SelectionError."""
    measure = query.get("measure") or "price"
    if measure not in MEASURES:
        msg = f"measure={measure!r}: expected one of {', '.join(MEASURES)}"
        raise SelectionError(msg)
    return measure


def read_page(query: Mapping[str, str]) -> int:
    """Return the number of the page of accounts, from 1 on; raises SelectionError."""
    text = query.get("page") or "1"
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        msg = f"page={text[:20]!r}: expected a whole number from 1 on"
        raise SelectionError(msg)
    return int(text)


def compare_spans(room: ReadSession, span: DateRange, account: str | None) -> list[AccountTotals]:
    """Return the accounts of a span, highest price first, each with the span before."""
    before = span.beside(-1)
    now = overview.totals_by_account(room.connection, str(span.first), str(span.last), account)
    earlier = overview.totals_by_account(room.connection, str(before.first), str(before.last), account)
    accounts = [AccountTotals(name, now.get(name, NOTHING), earlier.get(name)) for name in now.keys() | earlier.keys()]
    # As the file of a month has them.
    return sorted(accounts, key=lambda each: (each.now.price, each.name), reverse=True)


def _before(accounts: list[AccountTotals]) -> BillingTotals | None:
    """Return the totals of the span before, or None if nothing was billed then."""
    earlier = [each.before for each in accounts if each.before]
    return together(earlier) if earlier else None


def billing_chart(  # noqa: PLR0917
    room: ReadSession,
    span: DateRange,
    measure: str,
    accounts: list[AccountTotals],
    account: str | None,
    kept: dict[str, str] | None = None,
) -> BillingChart:
    """Return the chart of a measure: the accounts with most of it, and all others together; its links have ``kept``, too."""
    largest = sorted(accounts, key=lambda each: (-abs(getattr(each.now, measure)), each.name))
    named = [each.name for each in largest[:SERIES_MAX] if each.now != NOTHING]
    where = (room.connection, span.by, str(span.first), str(span.last))
    found = overview.totals_of_accounts(*where, named)
    everything = overview.totals_by_period(*where, account, (measure,))
    lines = []
    for step, own in span.steps():
        query = own | (kept or {})
        cells = [
            ChartCell(getattr(found.get((name, step), NOTHING), measure), query | of_account(name)) for name in named
        ]
        all_of_it = getattr(everything.get(step, NOTHING), measure)
        if len(accounts) > len(named):
            cells.append(ChartCell(all_of_it - sum(cell.value for cell in cells), None))
        lines.append(ChartRow(step, cells, ChartCell(all_of_it, query | (of_account(account) if account else {}))))
    return BillingChart(measure, named, len(accounts) - len(named), lines)


def of_account(name: str) -> dict[str, str]:
    """Return the filter for an account's rows; the account with an empty name has none."""
    return {"account": name} if name else {"without": "account"}
