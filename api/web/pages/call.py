"""The page of a call."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api.application.correctable_call import find_correctable
from api.application.masking import mask_text, masked_parameters, masked_text, shown_parameters
from api.application.price_explanation import explanation_lines
from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages import call_life as lives
from api.web.pages.call_life import CallLife
from api.web.pages.call_timeline import draw_timeline
from api.web.pages.flash import read_flash
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from domain import times
from domain.calls.correlation import BY_TAG
from domain.events import streams
from domain.events.log_row import POSITION_MAX
from projections.queries.call_lookup import calls_with_ids, exceptions_of_call
from projections.queries.log_points import LogPoint
from projections.queries.price_history import price_history
from projections.queries.time_points import describe_time

NEIGHBOURS = 2


class CallSurroundings(NamedTuple):
    """The neighbours of a call on its line, and its exceptions, as of a position of the read models."""

    position: int
    neighbours: Sequence[Any]
    exceptions: Sequence[Any]


def routes() -> list[GuardedRoute]:
    """Return the page of a call."""
    return [GuardedRoute("/calls/{call_id}", call, Role.READ, name="call")]


@with_error_pages
def call(request: Request) -> Response:
    """Show a call as it is now, or as of ``at``: a position of the log, a day, a month or a time."""
    state, text = request.app.state, request.path_params["call_id"]
    try:
        call_id = UUID(text)
    except ValueError:
        return not_found(request, f"{text!r} is not a call's id: expected a UUID")
    at = lives.moment(state.ledger, request.query_params.get("at", "").strip())
    life = lives.call_life(state.ledger, state.settings, call_id, at.position if at else None)
    if life is None:
        return not_found(request, f"no call {call_id} is in this ledger")
    who = request.state.identity
    return render(
        request,
        "call.html",
        life=life,
        explained=price_history(state.ledger, call_id, POSITION_MAX),
        lines_of=explanation_lines,
        known=at is None or life.events[0].position <= at.position,
        as_of=as_of_words(at, state.ledger.timezone),
        drawings=(draw_timeline(life), draw_timeline(life, is_down=True)),
        seen=life.event.step.after or life.events[0].step.after or {},
        around=_around(request, life),
        masked=shown_parameters if who.sees_pii else masked_parameters,
        hide=(lambda value: value) if who.sees_pii else mask_text,
        careful=(lambda value: value) if who.sees_pii else masked_text,
        after_cdr=times.iso(times.parse(life.cdr["cdr_at"]) + 1) if life.cdr else "",
        micros=lambda iso: times.parse(iso) if iso else None,
        outcome=read_flash(request),
        correctable=find_correctable(state.ledger, call_id) if who.has_role(Role.OPERATE) else None,
    )


def as_of_words(at: LogPoint | None, timezone: str) -> str:
    """Return what a time in the address was taken for; empty without one."""
    if not at or not at.at:
        return ""
    return f"{describe_time(at.at, timezone)}, {timezone}" + (
        ", after the last event of the log so far" if at.is_last else ""
    )


def _around(request: Request, life: CallLife) -> CallSurroundings:
    with request.app.state.read_models.session() as room:
        found = exceptions_of_call(room.connection, life.call_id)
        return CallSurroundings(room.position, _neighbours(room, life), found)


def _neighbours(room: ReadSession, life: CallLife) -> Sequence[Any]:
    """Return the calls of the line with the next lower and higher ordinals; their ids follow from these."""
    known = next((event.step.after for event in life.events if event.step.after), None)
    if known is None:
        return []
    line = (known["tag"], None if room.ledger.correlation == BY_TAG else known["src"])
    ordinal = known["ordinal"]
    near = [other for other in range(max(ordinal - NEIGHBOURS, 1), ordinal + NEIGHBOURS + 1) if other != ordinal]
    ids = [str(streams.call_id(line, other)) for other in near]
    return calls_with_ids(room.connection, ids)
