"""The page of a month to be closed: what is open in it, the money at risk, what it closes, and the closing itself."""

from contextlib import closing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.application.month_closing import check_month, close_month, closing_fingerprint
from api.application.operator_commands import ChangedMeanwhile
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.addresses import address
from api.web.pages.correction_forms import text_of
from api.web.pages.flash import read_flash
from api.web.pages.operator_forms import redirect_back, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from domain import times
from domain.errors import CommandRejected, LedgerError
from domain.events.log_row import POSITION_MAX
from domain.months import Month
from projections.queries.billing_overview import BillingTotals, months_to_close
from projections.queries.closing_blockers import MISSING_CDR, OPEN_MONTH, QUARANTINED, SUSPECT_RUN
from projections.queries.time_points import read_month
from projections.stores.generations import open_current

PATH = "/closings"
ROWS = 200
# Suspects are looked for among so many calls by the page itself, and among so many by the fragment, within a fifth of a second; among
# more on request.
CALLS_AT_ONCE_MAX, SEARCHED_UNASKED_MAX = 10_000, 50_000
MEANINGS = {
    QUARANTINED: "a CDR in quarantine",
    MISSING_CDR: "an ended call without its CDR",
    SUSPECT_RUN: "a run of calls that were perhaps sent again",
    OPEN_MONTH: "an earlier month, which is closed with it",
}


def routes() -> list[GuardedRoute]:
    """Return the page and the closing."""
    return [
        GuardedRoute(PATH, with_error_pages(show_month), Role.READ, name="month_to_close"),
        GuardedRoute("/fragments/closings", with_error_pages(open_items), Role.READ, name="month_open_items"),
        GuardedRoute(PATH, with_error_pages(close), Role.OPERATE, methods=("POST",), name="close_month"),
    ]


def show_month(request: Request) -> Response:
    """Show what is open in a month; by default in the first month with entries that is not closed."""
    query = request.query_params
    period = query.get("period", "").strip()
    return _show(request, str(read_month(period)) if period else _first_open(request), whole=bool(query.get("whole")))


def open_items(request: Request) -> Response:
    """Return what a month charges, what is open in it, and the form that closes it.

    A fragment: suspects are sought among all calls of the month; where those are very many, only once somebody asks for it.
    """
    period = str(read_month(request.query_params.get("period", "")))
    closed = request.app.state.ledger.billing_context().closed_through(POSITION_MAX)
    with request.app.state.read_models.session() as room:
        calls = _calls_of(months_to_close(room.connection, closed, period))
    checked = _check(request, period, with_suspects=calls <= SEARCHED_UNASKED_MAX)
    return render(request, "closing_open.html", calls=calls, **checked)


def close(request: Request) -> Response:
    """Close a month, if nothing else is open in it than was shown."""
    form, ledger, by = request.state.form, request.app.state.ledger, request.state.identity.name
    period = str(read_month(text_of(form, "period")))
    try:
        with closing(open_current(ledger)) as store:
            accept, expected = text_of(form, "reason") or None, text_of(form, "expected")
            result = close_month(ledger, store, period, by, accept, expected=expected)
    except ChangedMeanwhile as error:
        return _show(request, period, str(error))
    except LedgerError as error:
        return redirect_back(request, address(PATH, period=period), failed=str(error))
    if result.is_open:
        return _show(request, period, f"{period} is not closed: say why you accept what is open")
    wait_for(request, result.position)
    return redirect_back(request, "/tariffs", done=f"{period} is closed, at position {result.position}")


def _first_open(request: Request) -> str:
    """Return the first month with entries that is not closed; without any, the one after the last closed, or the present one."""
    ledger = request.app.state.ledger
    closed = ledger.billing_context().closed_through(POSITION_MAX)
    with request.app.state.read_models.session() as room:
        found = months_to_close(room.connection, closed)
    present = Month.of_day(times.day(request.app.state.clock(), ledger.timezone))
    return found[0][0] if found else str(Month(closed).next if closed else present)


def _show(request: Request, period: str, problem: str = "", *, whole: bool = True) -> Response:
    ledger = request.app.state.ledger
    closed = ledger.billing_context().closed_through(POSITION_MAX)
    wait_for(request, ledger.head())
    with request.app.state.read_models.session() as room:
        months = months_to_close(room.connection, closed, period)
    # Few calls are looked at at once; the page does not wait for many.
    whole = whole or _calls_of(months) <= CALLS_AT_ONCE_MAX
    return render(
        request,
        "closing.html",
        status=409 if problem else 200,
        outcome=read_flash(request),
        closed=closed,
        problem=problem,
        months=months,
        whole=whole,
        **(_check(request, period) if whole else {"period": period}),
    )


def _calls_of(months: list[tuple[str, BillingTotals]]) -> int:
    return sum(totals.calls for _, totals in months)


def _check(request: Request, period: str, *, with_suspects: bool = True) -> dict[str, Any]:
    """Return what the part of the page shows that all calls of the month are looked at for."""
    context: dict[str, Any] = {"period": period, "rows": ROWS, "meanings": MEANINGS, "refused": "", "result": None}
    context["is_searched"] = with_suspects
    try:
        with request.app.state.read_models.session() as room:
            result = check_month(request.app.state.ledger, room.store, period, with_suspects=with_suspects)
    except CommandRejected as error:
        return context | {"refused": str(error)}
    expected = closing_fingerprint(result.blockers, result.charges, result.months)
    return context | {"expected": expected, "at_risk": result.amounts_at_risk, "result": result}
