"""Resolving and reopening exceptions, with a reason: one, or several that are named."""

from api.web.auth.guard import Role
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import FLAG, POSITION, REASON, ApiParameter
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from domain.calls.call import RESOLVABLE

CHOSEN_MAX = 1000
_POSITION = {"type": "integer"}


def _chosen(text: str) -> list[tuple[str, int]]:
    named = [each.strip().rpartition(":") for each in text.split(",")]
    if len(named) > CHOSEN_MAX:
        msg = f"at most {CHOSEN_MAX} exceptions"
        raise ValueError(msg)
    try:
        return [(FLAG.read(flag), POSITION.read(position)) for flag, _, position in named]
    except ValueError:
        msg = "FLAG:POSITION, several separated by commas, such as repeated-cdr:93"
        raise ValueError(msg) from None


_ONE = rf"({'|'.join(RESOLVABLE)}):[0-9]{{1,18}}"
CHOSEN = ApiParameter(
    "exceptions",
    f"The exceptions, as `FLAG:POSITION`, separated by commas, at most {CHOSEN_MAX}.",
    {"type": "string", "pattern": f"^{_ONE}( *, *{_ONE})*$", "examples": ["repeated-cdr:93,repeated-status:12"]},
    _chosen,
    "body",
)


def operations() -> list[ApiOperation]:
    """Return the operations on exceptions."""
    return [
        _operation("resolve", "Mark an exception, named by its flag and position, as resolved.", reopened=False),
        _operation("reopen", "Mark an exception as open again.", reopened=True),
        _operation_on_chosen("resolve", "Mark several exceptions as resolved, all or none.", reopened=False),
        _operation_on_chosen("reopen", "Mark several exceptions as open again, all or none.", reopened=True),
    ]


def _operation(verb: str, meaning: str, *, reopened: bool) -> ApiOperation:
    def handler(asked: ApiRequest) -> ApiResponse:
        with asked.operator_session() as session:
            position = session.resolve_exception(asked.values["flag"], asked.values["position"], reopened=reopened)
        return ApiResponse({"position": position})

    return ApiOperation(
        f"{BASE}/exceptions/{{flag}}/{{position}}/{verb}",
        f"{verb}-exception",
        meaning,
        handler,
        object_schema({"position": _POSITION}),
        (FLAG, POSITION, REASON),
        method="POST",
        required_role=Role.OPERATE,
        refusals=(409,),
    )


def _operation_on_chosen(verb: str, meaning: str, *, reopened: bool) -> ApiOperation:
    def handler(asked: ApiRequest) -> ApiResponse:
        with asked.operator_session() as session:
            positions = [
                session.resolve_exception(flag, position, reopened=reopened)
                for flag, position in asked.values["exceptions"]
            ]
        return ApiResponse({"positions": positions})

    return ApiOperation(
        f"{BASE}/exceptions/{verb}",
        f"{verb}-exceptions",
        f"{meaning} `bulk-jobs` does so to all that fit some filters.",
        handler,
        object_schema({"positions": {"type": "array", "items": _POSITION}}),
        (CHOSEN, REASON),
        method="POST",
        required_role=Role.OPERATE,
        refusals=(409,),
    )
