"""The page of two months beside each other: each account or tag with calls, minutes and money, the differences, and per cent."""

from starlette.requests import Request
from starlette.responses import Response

from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.billing import of_account, read_page
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from api.web.pages.traffic import read_choice
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from domain import times
from domain.months import Month
from projections.queries import billing_overview as overview
from projections.queries import month_comparison as comparing
from projections.queries.month_comparison import COMPARED_BY, MEASURES, TAG, month_before
from projections.queries.text_patterns import write_exactly

ROWS = 25  # Of three lines each.
PRICE = "price"
LABELS = dict(zip(MEASURES, ("Calls", "Minutes", "Cost", "Price", "Margin"), strict=True))


def routes() -> list[GuardedRoute]:
    """Return the page."""
    return [GuardedRoute("/billing/comparison", with_error_pages(compare), Role.READ, name="month_comparison")]


def compare(request: Request) -> Response:
    """Show two months: by default the latest that was billed, beside the month before it."""
    query, state = request.query_params, request.app.state
    by, page = read_choice(query, "by", COMPARED_BY), read_page(query)
    sort = read_choice(query, "sort", (PRICE, *(each for each in MEASURES if each != PRICE)))
    account, text = query.get("account", "").strip() or None, query.get(AS_OF, "").strip()
    point = read_as_of(state.ledger, text)
    with read_session_as_of(request, point) as room:
        latest = overview.latest_month(room.connection, account) or times.day(state.clock(), room.ledger.timezone)[:7]
        period, against = comparing.months_to_compare(latest, query.get("period"), query.get("against"))
        found = comparing.compare_months(room.connection, against, period, by, account)
    ordered = comparing.largest_change_first(found, sort)
    return render(
        request,
        "comparison.html",
        period=period,
        against=against,
        earlier=[month_before(Month(month)) for month in (period, against)],
        later=[Month(month).next for month in (period, against)],
        by=by,
        account=account or "",
        sort="" if sort == PRICE else sort,
        measures=LABELS,
        total=comparing.total_of(found),
        listed=ordered[(page - 1) * ROWS : page * ROWS],
        page=page,
        pages=-(-len(found) // ROWS),
        kept={AS_OF: text},
        as_of=describe_as_of(point, state.ledger.timezone),
        selecting=filters_of,
    )


def filters_of(by: str, name: str) -> dict[str, str]:
    """Return the filters of the CDRs and postings of an account or a tag."""
    if by != TAG:
        return of_account(name)
    return {"tag": write_exactly(name)} if name else {"without": TAG}
