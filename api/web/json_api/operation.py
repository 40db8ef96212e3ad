"""What an operation is: a line in the table of the API, which reads its parameters, answers it and describes it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.responses import Response

from api.web.auth.guard import Role
from api.web.json_api.parameters import MIN_POSITION, ApiParameter, Schema
from api.web.json_api.request import ApiRequest

BASE = "/api/v1"
JSON = "application/json"


class ApiResponse(NamedTuple):
    """A handler's answer: what becomes JSON, and cursors by the relation of the pages that they lead to."""

    content: Any
    cursors: dict[str, str] = {}  # noqa: RUF012 - of a tuple, which nobody changes


Handler = Callable[[ApiRequest], ApiResponse | Response]


class ApiOperation(NamedTuple):
    """An operation: where, what it means, who may, what it takes, what comes back, and what else may be answered.

    ``model`` is the read model whose filters it takes; ``shows`` is the JSON schema of what comes back, or None for what
    comes in ``media`` types instead; ``refusals`` are statuses beside those that any operation may answer.
    """

    path: str
    name: str
    meaning: str
    handler: Handler
    response_schema: Schema | None
    parameters: tuple[ApiParameter, ...] = ()
    model: str | None = None
    method: str = "GET"
    required_role: Role = Role.READ
    refusals: tuple[int, ...] = ()
    media: tuple[str, ...] = (JSON,)

    @property
    def changes(self) -> bool:
        """Whether it does something."""
        return self.method != "GET"

    @property
    def all_parameters(self) -> tuple[ApiParameter, ...]:
        """All its parameters."""
        return self.parameters if self.changes else (*self.parameters, MIN_POSITION)

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses that it may answer with, but for 200."""
        usual = (400, 401, 403, 429, 503)
        return tuple(sorted({*usual, *self.refusals, *((408, 413) if self.changes else ()), *self._unchanged}))

    @property
    def _unchanged(self) -> tuple[int, ...]:
        return (304,) if not self.changes and self.media == (JSON,) else ()
