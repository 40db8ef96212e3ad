"""How a refusal is shown: as a page for people, as a problem document (RFC 9457) for programs."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.auth.refusal import TITLES, AccessRefused, is_for_a_program, problem_document, way_to_sign_in
from api.web.pages.rendering import render


def answer_refusal(request: Request, refused: AccessRefused) -> Response:
    """Return a refusal in the form that whoever asks can use; a page asks the store for its foot: call it from a thread."""
    if is_for_a_program(request):
        return problem_document(refused)
    if refused.status == 401:  # noqa: PLR2004 - the one for which there is a remedy at hand
        return RedirectResponse(way_to_sign_in(request), 303)
    page = render(request, "problem.html", status=refused.status, title=TITLES[refused.status], detail=refused.detail)
    page.headers.update(refused.headers)
    return page
