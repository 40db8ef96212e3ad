"""How a refusal is answered: with a page for people, with a problem document (RFC 9457) for programs."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.auth.refusal import TITLES, AccessRefused, is_for_a_program, problem_document, way_to_sign_in
from api.web.pages.rendering import render


def answer_refusal(request: Request, refused: AccessRefused) -> Response:
    """Return the answer to a refusal in the form that fits the client. Call it in a thread: a page reads the store."""
    if is_for_a_program(request):
        return problem_document(refused)
    if refused.status == 401:  # noqa: PLR2004 - the one for which there is a remedy at hand
        return RedirectResponse(way_to_sign_in(request), 303)
    page = render(request, "problem.html", status=refused.status, title=TITLES[refused.status], detail=refused.detail)
    page.headers.update(refused.headers)
    return page
