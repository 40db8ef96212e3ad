"""One event of the log, as ``tringledger tail`` prints it, and what undid it."""

import msgspec

from api.application.event_feed import read_event
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import POSITION, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from domain.events.log_row import POSITION_MAX
from projections.queries.call_lookup import undoing_positions

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_EVENT = object_schema(
    {
        "position": {"type": "integer"},
        "call_id": {"type": ["string", "null"]},
        "received_at": _TIME,
        "recorded_at": _TIME,
        "source": {"type": "string", "description": "Where a notice came from, or who the operator was."},
        "type": _TEXT,
        "status": _TEXT,
        "tag": _TEXT,
        "src": _TEXT,
        "rule": {"type": ["integer", "null"], "description": "The rule that placed a notice in its call."},
        "parameters": {
            "type": "array",
            "items": {"type": "array", "items": _TEXT},
            "description": "Pairs of names and values: of a notice as it came, of an operator's event its fields.",
        },
        "undone_by": {
            "type": ["integer", "null"],
            "description": "The position of the event that undid it, the last one if there are several.",
        },
    }
) | {"title": "LogEvent"}


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/events/{{position}}",
            "show-event",
            "One event of the log: a notice of a call, of voicemail or of a channel, or what an operator did.",
            _show,
            _EVENT,
            (POSITION._replace(meaning="The event's position in the log."),),
            refusals=(404,),
        )
    ]


def _show(asked: ApiRequest) -> ApiResponse:
    position, head = asked.values["position"], asked.ledger.head()
    if position > min(head, POSITION_MAX):
        msg = f"the log has no position {position}; its head is {head}"
        raise ApiError(404, msg)
    (row,) = asked.ledger.store.page(position - 1, 1, position)
    event = msgspec.to_builtins(read_event(row, whole=asked.identity.sees_pii))
    with asked.read_session() as room:
        return ApiResponse(event | {"undone_by": undoing_positions(room.connection, [position]).get(position)})
