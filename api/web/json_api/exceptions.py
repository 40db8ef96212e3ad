"""An exception is resolved, with a reason, or opened again."""

from api.web.auth.guard import Role
from api.web.json_api.operation import BASE, Answer, Operation
from api.web.json_api.parameters import FLAG, POSITION, REASON
from api.web.json_api.request import Asked
from api.web.json_api.row_schema import of_properties


def operations() -> list[Operation]:
    """Return what can be done about exceptions."""
    return [
        _operation("resolve", "Mark an exception, named by its flag and position, as resolved.", reopened=False),
        _operation("reopen", "Mark an exception as open again.", reopened=True),
    ]


def _operation(verb: str, meaning: str, *, reopened: bool) -> Operation:
    def handler(asked: Asked) -> Answer:
        with asked.acting() as acting:
            position = acting.resolve(asked.values["flag"], asked.values["position"], reopened=reopened)
        return Answer({"position": position})

    return Operation(
        f"{BASE}/exceptions/{{flag}}/{{position}}/{verb}",
        f"{verb}-exception",
        meaning,
        handler,
        of_properties({"position": {"type": "integer"}}),
        (FLAG, POSITION, REASON),
        method="POST",
        needs=Role.OPERATE,
        refusals=(409,),
    )
