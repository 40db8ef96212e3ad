"""One exception with its twin; resolving and reopening exceptions, one or several that are named, with a reason."""

from api.application.exception_twins import find_twins
from api.web.auth.guard import Role
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import AS_OF_POINT, FLAG, POSITION, REASON, ApiParameter
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema, row_documents, row_schema
from domain.calls.call import RESOLVABLE
from projections.queries.exception_totals import find_exception
from projections.queries.selection import read_model

CHOSEN_MAX = 1000
_POSITION = {"type": "integer"}
EXCEPTIONS = read_model("exceptions")
_WITH_TWIN = object_schema(
    {
        "exception": row_schema(EXCEPTIONS),
        "twin_position": {"type": ["integer", "null"], "description": "The twin's position; null if it has none."},
    }
)


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
        ApiOperation(
            f"{BASE}/exceptions/{{flag}}/{{position}}",
            "show-exception",
            "One exception, and its twin: the event that it repeats, contradicts or shares its `r` with.",
            _show,
            _WITH_TWIN,
            (FLAG, POSITION, AS_OF_POINT),
            refusals=(404,),
        ),
        _operation("resolve", "Mark an exception, named by its flag and position, as resolved.", reopened=False),
        _operation("reopen", "Mark an exception as open again.", reopened=True),
        _operation_on_chosen("resolve", "Mark several exceptions as resolved, all or none.", reopened=False),
        _operation_on_chosen("reopen", "Mark several exceptions as open again, all or none.", reopened=True),
    ]


def _show(asked: ApiRequest) -> ApiResponse:
    flag, position = asked.values["flag"], asked.values["position"]
    with asked.read_session() as room:
        found = find_exception(room.connection, flag, position)
        if found is None:
            msg = f"there is no exception {flag} at position {position}"
            raise ApiError(404, msg)
        twin = find_twins(room.ledger, [found], room.position).get((flag, position))
    (document,) = row_documents(EXCEPTIONS, [found], asked.masks)
    return ApiResponse({"exception": document, "twin_position": twin})


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
