"""The page of an account: how it went month by month, what it comes to now, its largest calls, and what was posted to it."""

from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from api.access.guard import Guarded, Role
from api.pages import billing, spans
from api.pages.asking import nothing_there, page
from api.pages.rendering import render
from api.shelf import Room
from projections import metrics as counting
from projections import overview
from projections.metrics import Metrics
from projections.overview import MONTH, NOTHING
from projections.tables import CDRS, POSTINGS

LARGEST = 10
POSTINGS_SHOWN = 20
MONTHS_MAX = 12


def routes() -> list[Guarded]:
    """Return the page of an account, whose name may have anything in it."""
    return [
        Guarded("/fragments/metrics/{account:path}", page(metrics), Role.READ, name="account_metrics"),
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
        before = span.beside(-1)
        now = overview.by_account(room.connection, str(span.first), str(span.last), account)
        earlier = overview.by_account(room.connection, str(before.first), str(before.last), account)
        year = spans.year_to(span)
        trend = overview.by_step(room.connection, MONTH, str(year.first), str(year.last), account)
        months = [step for step, _ in span._replace(by=MONTH).steps()] if span.is_of_months else []
        whole = bool(query.get("whole"))
        context: dict[str, Any] = {"months": months, "whole": whole}
        if whole:
            context["measured"] = measured(room, account, months)
        context |= {"largest": _largest(room, account, span), "postings": _postings(room, account)}
    measure = billing.measured(query)
    about = billing.Account(account, now.get(account, NOTHING), earlier.get(account))
    return render(
        request,
        "account.html",
        account=about,
        span=span,
        chart=billing.drawn(year, trend, measure, [about._replace(now=billing.together(trend.values()))], account),
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


def _largest(room: Room, account: str, span: spans.Span) -> list[Any]:
    """Return the calls of a span with the highest price."""
    wanted = [CDRS.c.account == account, CDRS.c.day >= str(span.first), CDRS.c.day <= str(span.last)]
    statement = select(CDRS).where(*wanted).order_by(CDRS.c.price.desc(), CDRS.c.position.desc()).limit(LARGEST)
    return list(room.connection.execute(statement))


def _postings(room: Room, account: str) -> list[Any]:
    """Return what was posted last to an account beside its CDRs."""
    statement = select(POSTINGS).where(POSTINGS.c.account == account)
    latest = statement.order_by(POSTINGS.c.position.desc(), POSTINGS.c.number).limit(POSTINGS_SHOWN)
    return list(room.connection.execute(latest))
