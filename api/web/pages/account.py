"""The page of an account: its months, its totals, its largest calls, and its postings."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages import billing
from api.web.pages import date_range as spans
from api.web.pages.addresses import address
from api.web.pages.chart_scale import read_scale
from api.web.pages.flash import read_flash
from api.web.pages.formatting import account_path
from api.web.pages.rendering import render
from api.web.pages.request_filters import filter_context, not_found, read_filters, with_error_pages
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from projections.queries import accounts
from projections.queries import billing_overview as overview
from projections.queries import filter_texts as filters
from projections.queries import metrics as counting
from projections.queries import pagination as browsing
from projections.queries.billing_overview import MONTH, NOTHING
from projections.queries.log_points import LogPoint
from projections.queries.metrics import Metrics
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError

LARGEST = 10
POSTINGS_SHOWN = 20
MONTHS_MAX = 12
# Counting so many calls takes a fragment some 0.3 s; more of them are counted on request.
COUNTED_UNASKED_MAX = 30_000


def routes() -> list[GuardedRoute]:
    """Return the page of an account, whose name may contain any character."""
    return [
        GuardedRoute("/fragments/metrics/{account:path}", with_error_pages(metrics), Role.READ, name="account_metrics"),
        GuardedRoute("/fragments/largest", with_error_pages(largest), Role.READ, name="largest_calls"),
        GuardedRoute("/accounts/{account:path}", with_error_pages(show_account), Role.READ, name="account"),
    ]


def show_account(request: Request) -> Response:
    """Show an account for some days: by default its latest billed month, and the year that ends with it."""
    account, query, state = request.path_params["account"], request.query_params, request.app.state
    point, kept = read_point(request)
    with read_session_as_of(request, point) as room:
        if not accounts.has_account(room.connection, account):
            return _elsewhere(request, room, account)
        latest = overview.latest_month(room.connection, account)
        span = spans.read_date_range({**query, "by": "day"}, room.ledger.timezone, state.clock(), latest)
        found = billing.compare_spans(room, span, account)
        about = found[0] if found else billing.AccountTotals(account, NOTHING, None)
        year = spans.year_to(span)
        billed = billing.compare_spans(room, year, account)
        chart = billing.billing_chart(room, year, billing.read_measure(query), billed, account, kept)
        months = [step for step, _ in span._replace(by=MONTH).steps()] if span.is_of_months else []
        whole = bool(query.get("whole"))
        is_counted = about.now.calls <= COUNTED_UNASKED_MAX
        context: dict[str, Any] = {"months": months, "whole": whole, "is_counted": is_counted}
        if whole:
            context["measured"] = account_metrics(room, account, months)
            chosen = filters.read_filters("cdrs", span.entries | billing.of_account(account), filter_context(request))
            context["largest"] = with_highest_price(room, chosen)
        context["postings"] = accounts.latest_postings(room.connection, account, POSTINGS_SHOWN)
    return render(
        request,
        "account.html",
        account=about,
        span=span,
        chart=chart,
        measures=billing.MEASURES,
        scale=read_scale(query),
        only=billing.of_account(account),
        outcome=read_flash(request),
        as_of=describe_as_of(point, state.ledger.timezone),
        versions=[each.tariff.version for each in state.ledger.billing_context().tariffs],
        **context,
    )


def _elsewhere(request: Request, room: ReadSession, account: str) -> Response:
    """Lead on from an address with slashes too many, or answer that there is no such account: a name may end with a slash."""
    meant = account.rstrip("/")
    if meant != account and accounts.has_account(room.connection, meant):
        return RedirectResponse(address(account_path(meant), dict(request.query_params)), 307)
    return not_found(request, f"nothing was ever billed to {account!r}")


def read_point(request: Request) -> tuple[LogPoint | None, dict[str, str]]:
    """Read as of when a page is, and the parameter that its links keep; raises SelectionError."""
    text = request.query_params.get(AS_OF, "").strip()
    return read_as_of(request.app.state.ledger, text), {AS_OF: text} if text else {}


def metrics(request: Request) -> Response:
    """Return the metrics of an account's calls in some months: a fragment, since calls must be counted for it."""
    months = request.query_params.get("months", "").split(",")[:MONTHS_MAX]
    with read_session_as_of(request, read_point(request)[0]) as room:
        found = account_metrics(room, request.path_params["account"], months)
    return render(request, "metrics.html", measured=found)


def account_metrics(room: ReadSession, account: str, months: list[str]) -> list[Metrics]:
    """Return an account's metrics by month."""
    found = [counting.account_metrics(room.connection, account=account, period=month) for month in months]
    return [each for month in found for each in month]


def largest(request: Request) -> Response:
    """Return the CDRs with the highest price among those that the filters select: a fragment as well."""
    read = read_filters(request, "cdrs")
    if read.selection is None:
        raise SelectionError(read.problem)
    with read_session_as_of(request, read_point(request)[0]) as room:
        found = with_highest_price(room, read.selection)
    return render(request, "largest.html", largest=found)


def with_highest_price(room: ReadSession, selection: Selection) -> Sequence[Any]:
    """Return a few CDRs of a selection."""
    return browsing.fetch_page(room.connection, "cdrs", selection, room.ledger.timezone, "-price", limit=LARGEST).rows
