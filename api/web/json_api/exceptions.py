"""Resolving and reopening exceptions, with a reason."""

from api.web.auth.guard import Role
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import FLAG, POSITION, REASON
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema


def operations() -> list[ApiOperation]:
    """Return the operations on exceptions."""
    return [
        _operation("resolve", "Mark an exception, named by its flag and position, as resolved.", reopened=False),
        _operation("reopen", "Mark an exception as open again.", reopened=True),
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
        object_schema({"position": {"type": "integer"}}),
        (FLAG, POSITION, REASON),
        method="POST",
        required_role=Role.OPERATE,
        refusals=(409,),
    )
