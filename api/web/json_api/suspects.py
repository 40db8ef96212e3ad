"""Suspects: calls that were perhaps sent again, runs first (SPEC 9.7), and settling a run with a reason."""

from api.application.masking import MASKS
from api.application.suspect_list import suspect_document
from api.web.auth.guard import Role
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import ONLY_MONTH, POSITION, REASON, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import DECIMAL, object_schema
from domain.calls.call import SUSPECT
from domain.errors import CommandRejected
from projections.queries.suspects import (
    FoundSuspects,
    find_run,
    find_suspects,
    month_range,
    recent_suspects,
    too_many_calls,
)

_TIME: Schema = {"type": "string", "format": "date-time"}
_WHOLE: Schema = {"type": "integer"}
_TEXT: Schema = {"type": "string"}
_AMOUNT: Schema = {"type": "string", "pattern": DECIMAL}
_AT_STAKE: dict[str, Schema] = {"cost": _AMOUNT, "sip_credits": _AMOUNT}
_SUSPECT = object_schema(
    {"call_id": _TEXT, "position": _WHOLE, "cdr_at": _TIME, "tag": _TEXT, "src": _TEXT}
    | _AT_STAKE
    | {"twin": _TEXT, "twin_position": _WHOLE, "twin_at": _TIME}
)
_SUSPECTS: Schema = {"type": "array", "items": _SUSPECT}
_RUN = object_schema({"shift_seconds": _AMOUNT} | _AT_STAKE | {"suspects": _SUSPECTS})


def operations() -> list[ApiOperation]:
    """Return the operations on suspects."""
    return [
        ApiOperation(
            f"{BASE}/suspects",
            "list-suspects",
            "Calls that equal an earlier call of their line, runs first: those of a month, or of the last 31 days.",
            _list,
            object_schema({"runs": {"type": "array", "items": _RUN}, "alone": _SUSPECTS}),
            (ONLY_MONTH,),
            refusals=(409,),
        ),
        ApiOperation(
            f"{BASE}/suspects/{{position}}/settle-run",
            "settle-run",
            "Resolve all suspects of a run, named by the position of one of them.",
            _settle_run,
            object_schema({"position": _WHOLE}),
            (POSITION, REASON),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(409,),
        ),
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    month: str | None = asked.values.get("period")
    with asked.read_session() as room:
        found: FoundSuspects | None
        if month:
            found = find_suspects(asked.ledger, room.connection, month_range(month))
        else:
            found = recent_suspects(asked.ledger, room.connection, asked.now)
    if found is None:
        raise ApiError(409, f"{too_many_calls(asked.ledger)}; expected a month: ?period=YYYY-MM")
    document = suspect_document(found)
    if not asked.identity.sees_pii:
        for suspect in [*document["alone"], *(each for run in document["runs"] for each in run["suspects"])]:
            suspect["src"] = MASKS["src"](suspect["src"])
    return ApiResponse(document)


def _settle_run(asked: ApiRequest) -> ApiResponse:
    try:
        with asked.read_session() as room:
            run = find_run(asked.ledger, room.connection, asked.values["position"])
    except CommandRejected as error:
        raise ApiError(409, str(error)) from error
    with asked.operator_session() as session:
        positions = [session.resolve_exception(SUSPECT, each.position) for each in run.suspects]
    return ApiResponse({"position": positions[-1]})
