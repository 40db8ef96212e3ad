"""The page of exceptions, flag by flag, with the money at stake; operators resolve them with a reason."""

from typing import Any

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from api.application.bulk_jobs.bulk_job import REOPEN_EXCEPTIONS, RESOLVE_EXCEPTIONS
from api.application.exception_twins import find_twins
from api.application.suspect_list import shift_shown
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.bulk_jobs import start_bulk_job
from api.web.pages.flash import read_flash
from api.web.pages.lists import read_with_as_of
from api.web.pages.operator_forms import redirect_back, run_form
from api.web.pages.rendering import render
from api.web.pages.request_filters import filter_context, filters_given, with_error_pages
from api.web.past_sessions import describe_as_of, read_session_as_of
from domain.calls.call import SUSPECT
from domain.errors import LedgerError
from domain.operators.session import OperatorSession
from projections.queries import call_health as calls
from projections.queries import conditions, filter_texts, selection
from projections.queries import exception_totals as at_stake
from projections.queries import pagination as browsing
from projections.queries.suspects import RECENT_DAYS, find_run, recent_suspects, too_many_calls

ROWS = 100
RUN_ROWS, ALONE_ROWS = 5, 50
PATH = "/exceptions"
MODEL = "exceptions"
CHOSEN_MAX = 1000
MEANINGS = {
    "contradictory-outcome": "outcomes that differ, or a failed CDR status together with an answer or an outcome",
    "missing-opening": "no opening notice came",
    "rounded-charge": "a charge has more than six digits after the point, and was rounded half-even to a millionth",
    "nonce-reused": "the same r with other content, where the signature covers only r",
    "repeated-cdr": "a CDR that equals a near call's; it is not billed",
    "repeated-status": "an opening or outcome that the call had already",
    "unrecognised-status": "a status that is in no table",
    "unrecognised-type": "a notice of no known type",
}


def routes() -> list[GuardedRoute]:
    """Return the page and its actions."""
    return [
        GuardedRoute(PATH, with_error_pages(exceptions), Role.READ),
        GuardedRoute(f"{PATH}/resolve", with_error_pages(resolve), Role.OPERATE, methods=("POST",)),
    ]


def exceptions(request: Request) -> Response:
    """Show the flags, and the exceptions that the filters select."""
    (read, point), query = read_with_as_of(request, MODEL), request.query_params
    context: dict[str, Any] = {"filters": read.filters, "problem": read.problem, "meanings": MEANINGS, "path": PATH}
    context |= {"outcome": read_flash(request), "span": read.span, "as_of": ""}
    if read.selection is None:
        return render(request, "exceptions.html", status=400, rows=None, **context)
    timezone = request.app.state.ledger.timezone
    context["as_of"] = describe_as_of(point, timezone)
    # They are not filtered, and looking for them takes time: they stand on the first page without filters alone.
    shows_runs = not read.filters and not query.get("cursor")
    without_flag = conditions.conditions("exceptions", _without_flag(read.selection), timezone)
    with read_session_as_of(request, point) as room:
        found = browsing.fetch_page(
            room.connection, "exceptions", read.selection, timezone, "-position", query.get("cursor", ""), ROWS
        )
        context |= {"twins": find_twins(room.ledger, found.rows, room.position)}
        context |= {"kinds": at_stake.totals_by_flag(room.connection, without_flag)}
        reach, now = room.ledger.options.window, point.at if point else filter_context(request).now
        if shows_runs:
            context |= {"suspects": recent_suspects(room.ledger, room.connection, now)}
            context |= {"too_many_calls": too_many_calls(room.ledger)}
        context |= {"waiting": calls.count_overdue(room.connection, reach, now)}
    context |= {"shows_runs": shows_runs, "shift_shown": shift_shown, "recent_days": RECENT_DAYS, "run_rows": RUN_ROWS}
    context |= {"alone_rows": ALONE_ROWS}
    context |= {"rows": found.rows, "next": found.next, "previous": found.previous}
    return render(request, "exceptions.html", is_first=not query.get("cursor"), **context)


def _without_flag(chosen: selection.Selection) -> selection.Selection:
    return structs.replace(chosen, flag=None)


def resolve(request: Request) -> Response:
    """Resolve or reopen the chosen exceptions, all with one reason; all that the filters select in a job."""
    form = request.state.form
    reopened = form.get("do") == "reopen"
    if form.get("fitting"):
        names = filter_texts.filter_names(MODEL)  # The form's reason is none of them.
        given = filters_given({name: str(value) for name, value in form.items()}, names)
        return start_bulk_job(request, REOPEN_EXCEPTIONS if reopened else RESOLVE_EXCEPTIONS, given, PATH)
    try:
        chosen = [_named(text) for text in form.getlist("exception")][:CHOSEN_MAX]
        chosen += _suspects_of_run(request, str(form.get("run", "")))
    except LedgerError as error:
        return redirect_back(request, PATH, failed=str(error))
    if not chosen:
        return redirect_back(request, PATH, failed="none is chosen")

    def settle(session: OperatorSession) -> None:
        for flag, position in chosen:
            session.resolve_exception(flag, position, reopened=reopened)

    try:
        run_form(request, str(form.get("reason", "")), settle)
    except LedgerError as error:
        return redirect_back(request, PATH, failed=str(error))
    return redirect_back(request, PATH, done=f"{len(chosen)} {'open again' if reopened else 'resolved'}")


def _suspects_of_run(request: Request, position: str) -> list[tuple[str, int]]:
    """Return the suspects of the run that has a position, named as exceptions are; none for an empty text."""
    if not position:
        return []
    _, found = _named(f"{SUSPECT}:{position}")
    with request.app.state.read_models.session() as room:
        run = find_run(room.ledger, room.connection, found)
    return [(SUSPECT, each.position) for each in run.suspects]


def _named(text: Any) -> tuple[str, int]:
    flag, _, position = str(text).rpartition(":")
    if not (position.isascii() and position.isdigit() and len(position) < 19):  # noqa: PLR2004 - what a position can have
        msg = f"{text!r} names no exception: expected FLAG:POSITION"
        raise LedgerError(msg)
    return flag, int(position)
