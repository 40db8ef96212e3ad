"""An event that belongs to no call: a voicemail notice, a channel notice, or an operator event."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.application import event_feed
from api.application.masking import masked_operator_event, masked_parameters, shown_parameters
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.flash import read_flash
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from domain.events.codec import decode_notice, decode_operator_event
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import (
    OPERATOR_EVENTS,
    AccountAdjusted,
    ExceptionResolved,
    QuarantineResolved,
)
from projections.queries.call_lookup import is_call

# Of events that are in no call's stream.
UNDOABLE = frozenset(
    event.TOPIC.rpartition(":")[2] for event in (AccountAdjusted, ExceptionResolved, QuarantineResolved)
)


def routes() -> list[GuardedRoute]:
    """Return the page of an event."""
    return [GuardedRoute("/events/{position:int}", with_error_pages(show_event), Role.READ)]


def show_event(request: Request) -> Response:
    """Show an event; an event of a call is shown on its call's page."""
    position, ledger = request.path_params["position"], request.app.state.ledger
    if not 0 < position <= min(ledger.head(), POSITION_MAX):
        return not_found(request, f"the log has no position {position}; its head is {ledger.head()}")
    row: LogRow = ledger.store.page(position - 1, 1, position)[0]
    with request.app.state.read_models.session() as room:
        if is_call(room.connection, row.stream_id):
            return RedirectResponse(f"/calls/{row.stream_id}?at={position}", 303)
    what = row.topic.rpartition(":")[2].replace("-", " ")
    whole = request.state.identity.sees_pii
    facts, parameters = _operator_event(row, whole=whole) if row.topic in OPERATOR_EVENTS else _notice(row, whole=whole)
    return render(
        request,
        "event.html",
        position=position,
        what=what,
        facts=facts,
        parameters=parameters,
        outcome=read_flash(request),
        is_undoable=request.state.identity.has_role(Role.OPERATE) and row.topic.rpartition(":")[2] in UNDOABLE,
    )


def _operator_event(row: LogRow, *, whole: bool) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    operator_event = decode_operator_event(row.topic, row.state)
    said = {
        name: value for name, value in msgspec.to_builtins(operator_event).items() if name not in ("v", "recorded_at")
    }
    said = said if whole else masked_operator_event(said)
    return {"recorded": operator_event.recorded_at}, [(name, _written(name, value)) for name, value in said.items()]


def _written(name: str, value: Any) -> str:
    """Return a field as a text, in which each item of a list of texts or of documents has a line of its own."""
    if isinstance(value, list) and any(isinstance(each, str | dict) for each in value):
        return "\n".join(event_feed.field_text(name, each) for each in value)
    return event_feed.field_text(name, value)


def _notice(row: LogRow, *, whole: bool) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    notice = decode_notice(row.state)
    parameters = shown_parameters(notice.params) if whole else masked_parameters(notice.params)
    facts = {"received": notice.received_at, "recorded": notice.recorded_at, "source": notice.source}
    return facts, [(str(name), str(value)) for name, value in parameters]
