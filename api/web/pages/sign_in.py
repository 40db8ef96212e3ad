"""Signing in with a name and a token, or by a link that works once; and signing out.

There is no session yet whose token could protect the sign-in form; whether another site sent it, the browser says
(``Sec-Fetch-Site``).
"""

from typing import cast

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.auth import sessions, users
from api.web.auth import sign_in_throttle as attempts
from api.web.auth.authenticator import Authenticator, host
from api.web.auth.guard import GuardedRoute, Role
from api.web.auth.refusal import SIGN_IN, AccessRefused
from api.web.auth.roles import AuditAction
from api.web.pages.rendering import render

OWN = {None, "same-origin", "none"}


def routes() -> list[GuardedRoute]:
    """Return the routes for signing in and out."""
    return [
        GuardedRoute(SIGN_IN, form, None, name="sign_in"),
        GuardedRoute(SIGN_IN, sign_in, None, ("POST",), name="signed_in"),
        GuardedRoute("/sign-out", sign_out, Role.READ, ("POST",), name="sign_out", records=AuditAction.SIGNED_OUT),
    ]


def form(request: Request) -> Response:
    """Show the form, or sign in the user of a link."""
    link = request.query_params.get("link")
    if link is None or request.method == "HEAD":
        return _form(request, 200)
    authenticator = _authenticator(request)
    begun = authenticator.attempt(request)
    name = sessions.redeem_link(authenticator.store, link, authenticator.clock())
    if name is None:
        authenticator.note(request, "", AuditAction.FAILED, 401, how="link")
        return _form(request, 401, "This link was used before, or is over an hour old.")
    attempts.forget_attempts(authenticator.store, name, host(request), begun)
    return _let_in(request, name, request.query_params.get("next", "/"), how="link")


def sign_in(request: Request) -> Response:
    """Sign in with a name and a token."""
    if request.headers.get("sec-fetch-site") not in OWN:
        raise AccessRefused(403, "the form came from another site: expected this service's own")
    fields = cast("FormData", request.state.form)
    name, token, then = (str(fields.get(field, "")).strip() for field in ("name", "token", "next"))
    authenticator = _authenticator(request)
    # A right token always counts: it cannot be guessed, and otherwise anybody could lock out a name that they know.
    if users.has_token(authenticator.store, name, token):
        attempts.forget_attempts(authenticator.store, name, host(request))
        return _let_in(request, name, then)
    try:
        authenticator.attempt(request, name)
    except AccessRefused as refused:
        return _form(request, refused.status, refused.detail.capitalize() + ".", refused.headers)
    authenticator.note(request, name if _is_user(authenticator, name) else "", AuditAction.FAILED, 401)
    return _form(request, 401, "That name and that token do not belong together.")


def sign_out(request: Request) -> Response:
    """End the session."""
    authenticator = _authenticator(request)
    cookie = authenticator.cookie_name(request)
    sessions.end_session(authenticator.store, request.cookies.get(cookie, ""))
    # The next user of the browser must not see cached pages.
    answer = RedirectResponse(SIGN_IN, 303, {"Clear-Site-Data": '"cache"'})
    answer.delete_cookie(cookie, secure=request.url.scheme == "https", httponly=True, samesite="lax")
    return answer


def own_address(text: str) -> str:
    """Return a path within this service unchanged, and ``/`` for anything that could lead elsewhere.

    Browsers ignore control characters and treat a backslash as a slash.
    """
    is_own = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_own else "/"


def _let_in(request: Request, name: str, then: str, *, how: str = "session") -> Response:
    authenticator = _authenticator(request)
    cookie = authenticator.cookie_name(request)
    sessions.end_session(authenticator.store, request.cookies.get(cookie, ""))
    answer = RedirectResponse(own_address(then), 303)
    session = sessions.begin_session(authenticator.store, name, authenticator.clock())
    answer.set_cookie(cookie, session, secure=request.url.scheme == "https", httponly=True, samesite="lax")
    authenticator.note(request, name, AuditAction.SIGNED_IN, answer.status_code, how=how)
    return answer


def _form(request: Request, status: int, problem: str = "", headers: dict[str, str] | None = None) -> Response:
    authenticator = _authenticator(request)
    then, typed = own_address(request.query_params.get("next", "/")), ""
    if request.method == "POST":
        then = own_address(str(request.state.form.get("next", "/")))
        typed = str(request.state.form.get("name", ""))
    is_empty = not users.list_users(authenticator.store)
    page = render(request, "sign_in.html", status=status, next=then, typed=typed, problem=problem, is_empty=is_empty)
    page.headers.update(headers or {})
    return page


def _is_user(authenticator: Authenticator, name: str) -> bool:
    # A name that no user has may be a token typed into the wrong field.
    return any(user.name == name for user in users.list_users(authenticator.store))


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator
