"""An operation of the JSON API: its path, parameters, role, handler and answers, from which it is also documented."""

from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.responses import Response

from api.web.auth.guard import Role
from api.web.json_api.parameters import MIN_POSITION, ApiParameter, Schema
from api.web.json_api.request import ApiRequest

BASE = "/api/v1"
JSON = "application/json"
# Rows without some of their columns are another shape, and have a media type of their own.
JSON_OF_CHOSEN_COLUMNS = "application/vnd.tringledger.columns+json"


class ApiResponse(NamedTuple):
    """A handler's answer: the JSON content, and cursors by relation (``next``, ``prev``)."""

    content: Any
    cursors: dict[str, str] = {}  # noqa: RUF012 - of a tuple, which does not change


Handler = Callable[[ApiRequest], ApiResponse | Response]


class ApiOperation(NamedTuple):
    """An operation of the API.

    ``model`` is the read model whose filters it accepts; ``response_schema`` is the JSON schema of the answer, or
    None if the answer has one of the ``media`` types instead; ``refusals`` are statuses in addition to those of
    every operation. ``chosen_schema`` is that of an answer with the columns that ``cols`` chooses. ``route`` is the path for the router, if a parameter may contain slashes.
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
    route: str = ""
    chosen_schema: Schema | None = None

    @property
    def tag(self) -> str:
        """What it is about: the first part of its path, as ``calls``."""
        return self.path.removeprefix(f"{BASE}/").partition("/")[0].partition(".")[0]

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def all_parameters(self) -> tuple[ApiParameter, ...]:
        """All its parameters."""
        return self.parameters if self.changes else (*self.parameters, MIN_POSITION)

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses that it may answer with, except 200."""
        usual = (400, 401, 403, 429, 503)
        return tuple(sorted({*usual, *self.refusals, *((408, 413) if self.changes else ()), *self._unchanged}))

    @property
    def _unchanged(self) -> tuple[int, ...]:
        return (304,) if not self.changes and self.media == (JSON,) else ()
