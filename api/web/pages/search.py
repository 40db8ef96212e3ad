"""Search: one box for everything that can be found; a unique hit is opened at once."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from api.web.search_hits import QUERY_MAX, find_hits


def routes() -> list[GuardedRoute]:
    """Return the page."""
    return [GuardedRoute("/search", with_error_pages(search), Role.READ)]


def search(request: Request) -> Response:
    """Open the only hit, or list all."""
    query = request.query_params.get("q", "").strip()[:QUERY_MAX]
    with request.app.state.read_models.session() as room:
        found = find_hits(room, query, sees_pii=request.state.identity.sees_pii)
    if len(found) == 1 and found[0].to:
        return RedirectResponse(found[0].to, 303)
    return render(request, "search.html", query=query, found=found)
