"""Refusals as RFC 9457 problem details: what was wrong, where, and what was expected."""

from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "5"

TITLES = {
    202: "Kept in quarantine",
    400: "Not a notification",
    403: "Wrong signature",
    404: "Nothing there",
    405: "Method not allowed",
    408: "Body incomplete",
    413: "Body too large",
    414: "Query too long",
    415: "Content type not supported",
    431: "Head too large",
    503: "Cannot be taken now",
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """Return a refusal; ``members`` are further members that RFC 9457 allows, such as the parameter's name."""
    content = {"title": TITLES[status], "status": status, "detail": detail, **members}
    return Response(msgspec.json.encode(content), status, headers, MEDIA_TYPE)
