"""The page of an account: how it went month by month, what it comes to now, its largest calls, and what was posted to it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from api.application.read_model_pool import Room
from api.web.auth.guard import Guarded, Role
from api.web.pages import billing
from api.web.pages import date_range as spans
from api.web.pages.rendering import render
from api.web.pages.request_filters import asked, nothing_there, page, terms
from projections.queries import billing_overview as overview
from projections.queries import filter_texts as filters
from projections.queries import metrics as counting
from projections.queries import pagination as browsing
from projections.queries.billing_overview import MONTH, NOTHING
from projections.queries.metrics import Metrics
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.schema.tables import POSTINGS

LARGEST = 10
POSTINGS_SHOWN = 20
MONTHS_MAX = 12


def routes() -> list[Guarded]:
    """Return the page of an account, whose name may have anything in it."""
    return [
        Guarded("/fragments/metrics/{account:path}", page(metrics), Role.READ, name="account_metrics"),
        Guarded("/fragments/largest", page(largest), Role.READ, name="largest_calls"),
        Guarded("/accounts/{account:path}", page(shown), Role.READ, name="account"),
    ]


def shown(request: Request) -> Response:
    """Show an account in a span, by default the latest month in which it was billed, and in the year that ends with it."""
    account, query, state = request.path_params["account"], request.query_params, request.app.state
    with state.shelf.reading() as room:
        if not overview.knows(room.connection, account):
            return nothing_there(request, f"nothing was ever billed to {account!r}")
        latest = overview.latest_month(room.connection, account)
        span = spans.read({**query, "by": "day"}, room.ledger.timezone, state.clock(), latest)
        found = billing.compared(room.connection, span, account)
        about = found[0] if found else billing.Account(account, NOTHING, None)
        year = spans.year_to(span)
        billed = billing.compared(room.connection, year, account)
        chart = billing.drawn(room.connection, year, billing.measured(query), billed, account)
        months = [step for step, _ in span._replace(by=MONTH).steps()] if span.is_of_months else []
        whole = bool(query.get("whole"))
        context: dict[str, Any] = {"months": months, "whole": whole}
        if whole:
            context["measured"] = measured(room, account, months)
            chosen = filters.read("cdrs", span.entries | billing.of_account(account), terms(request))
            context["largest"] = with_highest_price(room, chosen)
        context["postings"] = _postings(room, account)
    return render(
        request,
        "account.html",
        account=about,
        span=span,
        chart=chart,
        measures=billing.MEASURES,
        only=billing.of_account(account),
        **context,
    )


def metrics(request: Request) -> Response:
    """Return how an account's calls went in some months: a part of its page, since it is counted from the calls."""
    months = request.query_params.get("months", "").split(",")[:MONTHS_MAX]
    with request.app.state.shelf.reading() as room:
        found = measured(room, request.path_params["account"], months)
    return render(request, "metrics.html", measured=found)


def measured(room: Room, account: str, months: list[str]) -> list[Metrics]:
    """Return an account's metrics by month."""
    found = [counting.of_accounts(room.connection, account=account, period=month) for month in months]
    return [each for month in found for each in month]


def largest(request: Request) -> Response:
    """Return the CDRs with the highest price among those that the filters select: a part of a page, too."""
    read = asked(request, "cdrs")
    if read.selection is None:
        raise SelectionError(read.problem)
    with request.app.state.shelf.reading() as room:
        found = with_highest_price(room, read.selection)
    return render(request, "largest.html", largest=found)


def with_highest_price(room: Room, selection: Selection) -> Sequence[Any]:
    """Return a few CDRs of a selection."""
    return browsing.page(room.connection, "cdrs", selection, room.ledger.timezone, "-price", limit=LARGEST).rows


def _postings(room: Room, account: str) -> list[Any]:
    """Return what was posted last to an account beside its CDRs."""
    statement = select(POSTINGS).where(POSTINGS.c.account == account)
    latest = statement.order_by(POSTINGS.c.position.desc(), POSTINGS.c.number).limit(POSTINGS_SHOWN)
    return list(room.connection.execute(latest))
