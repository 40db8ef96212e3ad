"""Settling notices of the quarantine: trying them again, or resolving them, one or several that are named."""

from collections.abc import Callable
from typing import Any

from api.application import quarantine
from api.application.quarantine import Reprocessed
from api.web.auth.guard import Role
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import ENTRY, REASON, ApiParameter, Schema
from api.web.json_api.quarantine import quarantined_entry
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema

CHOSEN_MAX = 1000
BULK = "`bulk-jobs` does so to all that fit some filters."
_WHOLE: Schema = {"type": "integer"}
_OUTCOMES = [quarantine.RECORDED, quarantine.DUPLICATE]


def _chosen(text: str) -> list[int]:
    numbers = text.split(",")
    if len(numbers) > CHOSEN_MAX:
        msg = f"at most {CHOSEN_MAX} notices"
        raise ValueError(msg)
    return [ENTRY.read(each.strip()) for each in numbers]


CHOSEN = ApiParameter(
    "entries",
    f"The notices' numbers in quarantine, separated by commas, at most {CHOSEN_MAX}.",
    {"type": "string", "pattern": "^[0-9]{1,18}( *, *[0-9]{1,18})*$", "examples": ["17,18"]},
    _chosen,
    "body",
)


def operations() -> list[ApiOperation]:
    """Return the operations that settle notices."""
    one, whole_number = f"{BASE}/quarantine/{{entry}}", {"position": _WHOLE}
    outcome: Schema = {"type": "string", "enum": _OUTCOMES}
    tried = object_schema(
        {
            "id": _WHOLE,
            "outcome": {"type": "string", "enum": [*_OUTCOMES, quarantine.INVALID]},
            "position": {"type": ["integer", "null"]},
            "reason": {"type": "string"},
        }
    ) | {"title": "ReprocessedNotice"}
    reprocessed = object_schema({"id": _WHOLE, "outcome": outcome, "position": _WHOLE})
    several = object_schema({"items": {"type": "array", "items": tried}})
    positions = object_schema({"positions": {"type": "array", "items": _WHOLE}})
    return [
        _operation(f"{one}/reprocess", "reprocess-quarantined", "Reprocess a notice once its cause is fixed; it keeps its original received_at.", _reprocess, reprocessed, ENTRY),
        _operation(f"{one}/resolve", "resolve-quarantined", "Resolve a notice that is not to be recorded.", _resolve, object_schema(whole_number), ENTRY, REASON),
        _operation(f"{BASE}/quarantine/reprocess", "reprocess-chosen-quarantined", f"Reprocess several notices, and tell what came of each. {BULK}", _reprocess_chosen, several, CHOSEN),
        _operation(f"{BASE}/quarantine/resolve", "resolve-chosen-quarantined", f"Resolve several notices, all or none. {BULK}", _resolve_chosen, positions, CHOSEN, REASON),
    ]  # fmt: skip


def _operation(  # In the order of ApiOperation.
    path: str,
    name: str,
    meaning: str,
    handler: Callable[[ApiRequest], ApiResponse],
    answer: Schema,
    *parameters: ApiParameter,
) -> ApiOperation:
    return ApiOperation(
        path,
        name,
        meaning,
        handler,
        answer,
        parameters,
        method="POST",
        required_role=Role.OPERATE,
        refusals=(404, 409),
    )


def _reprocess(asked: ApiRequest) -> ApiResponse:
    (tried,) = quarantine.reprocess(asked.ledger, [quarantined_entry(asked, asked.values["entry"])])
    if tried.outcome == quarantine.INVALID:
        reason = quarantine.shown_reason(tried.reason, whole=asked.identity.sees_pii)
        raise ApiError(409, f"notice {tried.entry_id} is still invalid: {reason}")
    return ApiResponse({"id": tried.entry_id, "outcome": tried.outcome, "position": tried.position})


def _reprocess_chosen(asked: ApiRequest) -> ApiResponse:
    entries = [quarantined_entry(asked, number) for number in dict.fromkeys(asked.values["entries"])]
    return ApiResponse({"items": [_document(asked, each) for each in quarantine.reprocess(asked.ledger, entries)]})


def _document(asked: ApiRequest, tried: Reprocessed) -> dict[str, Any]:
    reason = quarantine.shown_reason(tried.reason, whole=asked.identity.sees_pii)
    return {"id": tried.entry_id, "outcome": tried.outcome, "position": tried.position or None, "reason": reason}


def _resolve(asked: ApiRequest) -> ApiResponse:
    entry = quarantined_entry(asked, asked.values["entry"])
    with asked.operator_session() as session:
        position = session.resolve_quarantined(entry.id)
    return ApiResponse({"position": position})


def _resolve_chosen(asked: ApiRequest) -> ApiResponse:
    entries = [quarantined_entry(asked, number) for number in dict.fromkeys(asked.values["entries"])]
    with asked.operator_session() as session:
        positions = [session.resolve_quarantined(entry.id) for entry in entries]
    return ApiResponse({"positions": positions})
