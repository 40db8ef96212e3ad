"""What is answered where no route leads: a page for browsers, a problem document for programs, or the way without a slash."""

from collections.abc import Iterable
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route

from api.web.auth.authenticator import Authenticator
from api.web.auth.refusal import AccessRefused, is_for_a_browser
from api.web.pages.request_filters import not_found
from api.web.problems import problem
from domain.errors import LedgerError


class BoundedNumber(IntegerConvertor):
    """A number in a path: what has more digits than any position leads nowhere."""

    regex = "[0-9]{1,18}"


register_url_convertor("int", BoundedNumber())


def without_slash(request: Request, routes: Iterable[BaseRoute]) -> Response | None:
    """Return the way to the same path without slashes at its end, if there is something; it names no host."""
    path: str = request.scope["path"]
    bare = "/" + path.strip("/")
    if not path.endswith("/") or bare == path:
        return None
    scope = {**request.scope, "path": bare}
    if all(route.matches(scope)[0] is Match.NONE for route in routes):
        return None
    query = request.url.query
    return RedirectResponse(quote(bare, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else ""), 307)


async def nothing_there(request: Request, notify_path: str) -> Response:
    """Answer that there is nothing: a page for a browser, with the user's own way on, and a problem document for others."""
    detail = f"there is nothing at {request.url.path}: callbacks are taken at {notify_path}"
    if not is_for_a_browser(request):
        return problem(404, detail)
    authenticator: Authenticator = request.app.state.authenticator
    try:
        who = await authenticator.identify(request)
    except (AccessRefused, LedgerError):
        who = None
    request.state.identity, request.state.csrf_token = who, who.csrf_token if who else ""
    return await run_in_threadpool(not_found, request, f"there is nothing at {request.url.path}")


async def not_that_method(request: Request, _error: Exception) -> Response:
    """Answer that a path does not take a method, naming all that it takes, whichever routes take them."""
    routes = [route for route in request.app.router.routes if isinstance(route, Route)]
    named = [route for route in routes if route.path == request.scope["path"]]
    leading = named or [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    allowed = ", ".join(sorted({method for route in leading for method in route.methods or ()}))
    return problem(
        405, f"got {request.method} for {request.url.path}; expected {allowed or 'another'}", {"Allow": allowed}
    )
