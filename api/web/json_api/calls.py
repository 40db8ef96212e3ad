"""One call: its row, its CDR, its flags, and its events as they were received."""

from collections.abc import Callable
from typing import Any

from api.application import call_history as history
from api.application.masking import masked_line, masked_parameters, masked_row, masked_text
from api.application.price_explanation import explanation_document, masked_explanation
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import AT, CALL_ID, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest, parameter_error
from api.web.json_api.row_schema import object_schema, row_documents, row_schema
from domain.events.log_row import POSITION_MAX
from projections.queries.call_lookup import rows_of_call
from projections.queries.log_points import resolve_point
from projections.queries.price_history import price_history
from projections.queries.time_points import SelectionError
from projections.schema.read_models import CALLS, CDRS, EXCEPTIONS

_ANY: Schema = {"type": "object"}
_EVENT = object_schema(
    {
        "position": {"type": "integer"},
        "version": {"type": "integer"},
        "type": {"type": "string"},
        "status": {"type": "string"},
        "recorded_at": {"type": "string", "format": "date-time"},
        "call": {"anyOf": [row_schema(CALLS), {"type": "null"}]},
        "price": {"type": ["object", "null"]},
    }
) | {"additionalProperties": True}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
_EXPLAINED = object_schema(
    {
        "call_id": {"type": "string"},
        "tag": {"type": "string"},
        "src": {"type": "string"},
        "ordinal": {"type": "integer"},
        "prices": _OBJECTS,
        "rules": _OBJECTS,
    }
)
_CDR: Schema = {"anyOf": [row_schema(CDRS), {"type": "null"}]}


def operations() -> list[ApiOperation]:
    """Return the operations on one call."""
    shown = object_schema(
        {"call": row_schema(CALLS), "cdr": _CDR, "exceptions": {"type": "array", "items": row_schema(EXCEPTIONS)}}
    )
    lived = object_schema({"call_id": {"type": "string"}, "events": {"type": "array", "items": _EVENT}, "cdr": _CDR})
    return [
        ApiOperation(
            f"{BASE}/calls/{{call_id}}",
            "show-call",
            "One call, its CDR if it has one, and its flags.",
            _show,
            shown,
            (CALL_ID,),
            refusals=(404,),
        ),
        ApiOperation(
            f"{BASE}/calls/{{call_id}}/events",
            "list-events-of-call",
            "A call's events as they were received, with the call and its CDR after each.",
            _events,
            lived,
            (CALL_ID, AT),
            refusals=(404,),
        ),
        ApiOperation(
            f"{BASE}/calls/{{call_id}}/explanation",
            "explain-call",
            "Why a call costs what it costs: every price that it had, the event, the tariff and the rule behind it, each step, and where it was posted.",
            _explanation,
            _EXPLAINED,
            (CALL_ID, AT),
            refusals=(404,),
        ),
    ]


def _show(asked: ApiRequest) -> ApiResponse:
    with asked.read_session() as session:
        found = rows_of_call(session.connection, str(asked.values["call_id"]))
    if found is None:
        raise _missing(asked)
    (call,) = row_documents(CALLS, [found.call], asked.masks)
    cdr = row_documents(CDRS, [found.cdr], asked.masks)[0] if found.cdr else None
    exceptions = row_documents(EXCEPTIONS, found.exceptions, asked.masks)
    return ApiResponse({"call": call, "cdr": cdr, "exceptions": exceptions})


def _events(asked: ApiRequest) -> ApiResponse:
    found = history.call_history(asked.ledger, asked.values["call_id"], _position_until(asked))
    if found is None:
        raise _missing(asked)
    document = history.history_document(found)
    return ApiResponse(document if asked.identity.sees_pii else _masked(document))


def _explanation(asked: ApiRequest) -> ApiResponse:
    found = price_history(asked.ledger, asked.values["call_id"], _position_until(asked))
    if found is None:
        raise _missing(asked)
    document = explanation_document(found)
    return ApiResponse(document if asked.identity.sees_pii else masked_explanation(document))


def _position_until(asked: ApiRequest) -> int:
    at: int | str | None = asked.values.get("at")
    try:
        return POSITION_MAX if at is None else resolve_point(asked.ledger, at).position
    except SelectionError as error:
        raise parameter_error("at", str(at), error) from error


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    events = [_masked_event(event) for event in document["events"]]
    cdr = document["cdr"] and masked_row(document["cdr"])
    return document | {"events": events, "cdr": cdr}


def _masked_event(event: dict[str, Any]) -> dict[str, Any]:
    masks: dict[str, Callable[[Any], Any]] = {
        "type": masked_text,
        "status": masked_text,
        "parameters": masked_parameters,
        "call": masked_row,
        "voucher": _masked_texts,
        "reason": masked_text,
        "line": masked_line,
    }
    return {name: masks[name](value) if value and name in masks else value for name, value in event.items()}


def _masked_texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: masked_text(value) if isinstance(value, str) else value for name, value in row.items()}


def _missing(asked: ApiRequest) -> ApiError:
    return ApiError(404, f"call {asked.values['call_id']} did not exist at that time")
