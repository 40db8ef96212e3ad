"""Refusals of the API as problem details (RFC 9457), naming each bad parameter."""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from api.web.problems import MEDIA_TYPE
from projections.queries.filter_texts import BadFilter

TITLES = {
    400: "Wrong parameters",
    404: "Nothing there",
    409: "Not possible in the current state",
    503: "Unavailable now",
}
RETRY_AFTER_SECONDS = "1"


class ApiError(Exception):
    """A refusal, raised by a handler instead of an answer."""

    def __init__(self, status: int, detail: str, **members: Any) -> None:
        """Refuse with a status, a sentence, and further members of the problem."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members

    def response(self) -> Response:
        """Return the answer."""
        content = {"title": TITLES[self.status], "status": self.status, "detail": self.detail, **self.members}
        headers = {"Retry-After": RETRY_AFTER_SECONDS} if self.status == 503 else None  # noqa: PLR2004
        return Response(msgspec.json.encode(content), self.status, headers, MEDIA_TYPE)


def parameter_errors(bad: Sequence[BadFilter]) -> ApiError:
    """Return the refusal of several parameters, naming all of them."""
    errors = [{"parameter": name, "value": value, "detail": problem} for name, value, problem in bad]
    return ApiError(400, "; ".join(f"{name}: {problem}" for name, _, problem in bad), errors=errors)
