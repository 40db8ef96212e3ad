"""What the guard refuses: the error, and its form for programs (RFC 9457)."""

from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.web.problems import MEDIA_TYPE

SIGN_IN = "/sign-in"
TITLES = {
    400: "Not understood",
    401: "Sign in first",
    403: "Not allowed",
    408: "Body incomplete",
    413: "Body too large",
    429: "Too many attempts",
    503: "Unavailable now",
}


class AccessRefused(Exception):
    """A request that is refused; endpoints may raise it too."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        """Refuse with an HTTP status, a sentence that says why, and headers such as Retry-After."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def is_for_a_browser(request: Request) -> bool:
    """Whether a client shows pages: it asks for them, and for none of the API."""
    return not is_for_a_program(request) and "text/html" in request.headers.get("accept", "")


def is_for_a_program(request: Request) -> bool:
    """Whether a program reads the answer: the API's clients, a page's own scripts, and clients that ask for JSON."""
    headers = request.headers
    return (
        request.url.path.startswith(("/api/", "/openapi"))
        or "authorization" in headers
        or headers.get("sec-fetch-dest") == "empty"
        or headers.get("accept", "").startswith(("application/json", "text/event-stream", "application/problem+json"))
    )


def way_to_sign_in(request: Request) -> str:
    """Return the path of the sign-in page, with the way back to the requested page if it can be requested again."""
    if request.method != "GET":
        return SIGN_IN
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return SIGN_IN if path == "/" else f"{SIGN_IN}?{urlencode({'next': path})}"


def problem_document(refused: AccessRefused) -> Response:
    """Return a refusal as a problem document (RFC 9457)."""
    headers = dict(refused.headers)
    if refused.status == 401:  # noqa: PLR2004
        headers.setdefault("WWW-Authenticate", 'Bearer realm="tringledger"')
    content = {"title": TITLES[refused.status], "status": refused.status, "detail": refused.detail}
    return Response(msgspec.json.encode(content), refused.status, headers, MEDIA_TYPE)
