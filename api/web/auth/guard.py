"""The guard of every route except ``/notify`` and ``/health``: identity, role, CSRF token, audit log.

A web part lists its routes as GuardedRoute; only ``guard_routes`` turns them into Starlette routes, so no route
goes without a guard. An endpoint finds in ``request.state``: ``identity`` (None on an open route), ``csrf_token``
(for forms; empty without a session), and for methods that change something ``body`` (bytes) and ``form`` (a
FormData with the fields of a URL-encoded body), even if it runs in a thread. It may set
``request.state.audit_action`` to an AuditAction if only it knows what was done.
"""

import hmac
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.web.auth.csrf import unmask_token
from api.web.auth.refusal import AccessRefused
from api.web.auth.roles import AuditAction, Identity, Role
from api.web.compression import compress_response
from api.web.request_body import BodyRefused, is_form, read_body
from domain.errors import StoreUnavailable

__all__ = [
    "AccessPolicy",
    "AccessRefused",
    "AuditAction",
    "GuardedRoute",
    "Identity",
    "Role",
    "guard_routes",
    "require_role",
]

BODY_SIZE_MAX_BYTES = 1024 * 1024
FIELDS_MAX = 1000
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD, CSRF_HEADER = "csrf_token", "x-csrf-token"
RETRY_AFTER = {"Retry-After": "5"}
EVENT_STREAM, ASKED_AGAIN_SECONDS = "text/event-stream", 15.0

_log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Response | Awaitable[Response]]
Refuse = Callable[[Request, AccessRefused], Response]


class GuardedRoute(NamedTuple):
    """A route: its path, its endpoint, the role that it requires, and its methods.

    ``required_role`` is None only for public routes. ``records`` is what the audit log says of an answer; by
    default it follows from method and role, and None is for answers that reveal nothing about calls. A fragment of
    a page counts as the page.
    """

    path: str
    endpoint: Endpoint
    required_role: Role | None
    methods: tuple[str, ...] = ("GET",)
    name: str | None = None
    records: AuditAction | Literal["viewed", "exported", "changed", "by-need"] | None = "by-need"

    @property
    def audit_action(self) -> AuditAction | None:
        """The action that the audit log records for an answer."""
        if self.records != "by-need":
            return AuditAction(self.records) if self.records else None
        if self.required_role is None:
            return None
        if not SAFE.issuperset(self.methods):
            return AuditAction.CHANGED
        return AuditAction.EXPORTED if self.required_role is Role.EXPORT else AuditAction.VIEWED


class AccessPolicy(Protocol):
    """What the guard needs: who the user is, and a way to record what they did. Both may raise StoreUnavailable."""

    async def identify(self, request: Request) -> Identity | None:
        """Return the user of a request, or None; raises AccessRefused after too many wrong tokens."""

    async def record(self, request: Request, who: Identity, did: AuditAction, status: int) -> None:
        """Record in the audit log what a user did, before they get the answer."""


def guard_routes(guarded: Iterable[GuardedRoute], policy: AccessPolicy, refuse: Refuse) -> list[Route]:
    """Return the routes of a web application, each behind the guard; ``refuse`` answers what is refused."""
    return [
        Route(
            each.path,
            GuardedEndpoint(each, policy, refuse).answer,
            methods=list(each.methods),
            name=each.name or _name(each),
        )
        for each in guarded
    ]


def require_role(request: Request, role: Role) -> None:
    """Raise AccessRefused if the user lacks a role; for endpoints whose role depends on what is requested."""
    if not request.state.identity.has_role(role):
        detail = f"this needs the role {role}, which {request.state.identity.name} does not have"
        raise AccessRefused(403, detail)


class GuardedEndpoint:
    """A route's endpoint behind the guard."""

    def __init__(self, guarded: GuardedRoute, policy: AccessPolicy, refuse: Refuse) -> None:
        """Guard a route: ``policy`` knows the users, ``refuse`` answers what is refused."""
        self.guarded = guarded
        self._policy = policy
        self._refuse = refuse

    async def answer(self, request: Request) -> Response:
        """Answer a request, or refuse it."""
        request.state.identity, request.state.csrf_token, request.state.audit_action = (
            None,
            "",
            self.guarded.audit_action,
        )
        request.state.opens = ""
        try:
            response = await self._checked(request)
        except AccessRefused as refused:
            response = await run_in_threadpool(self._refuse, request, refused)
        except StoreUnavailable as error:
            # The location of the store is for the log only: the answer may go to a stranger.
            _log.error("%s cannot be answered: %s", self.guarded.path, error)
            unavailable = AccessRefused(503, "a store that this needs cannot be used now", RETRY_AFTER)
            response = await run_in_threadpool(self._refuse, request, unavailable)
        await compress_response(request, response)
        # The browser's next user must not see these pages in its cache.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    async def _checked(self, request: Request) -> Response:
        who = request.state.identity = None if self.guarded.required_role is None else await self._known(request)
        if who:
            request.state.csrf_token = who.csrf_token
        if request.method not in SAFE:
            await _take_body(request)
        try:
            self._check(request, who)
            response = await _called(self.guarded.endpoint, request)
        except AccessRefused as refused:
            if refused.status == 403 and who:  # noqa: PLR2004
                await self._policy.record(request, who, AuditAction.REFUSED, refused.status)
            raise
        did = request.state.audit_action
        request.state.opens = response.headers.get("location", "") if request.method in SAFE else ""
        if did and who and response.status_code < 400:  # noqa: PLR2004
            await self._policy.record(request, who, did, response.status_code)
        if who and isinstance(response, StreamingResponse) and response.media_type == EVENT_STREAM:
            response.body_iterator = self._while_known(request, who, response.body_iterator)
        return response

    async def _while_known(self, request: Request, who: Identity, parts: Any) -> AsyncIterator[bytes]:
        """Pass on an endless answer while its user stays signed in with the same roles."""
        asked_at = monotonic()
        async with aclosing(parts):
            async for part in parts:
                if monotonic() - asked_at > ASKED_AGAIN_SECONDS:
                    asked_at = monotonic()
                    if not await self._is_still(request, who):
                        return
                yield part

    async def _is_still(self, request: Request, who: Identity) -> bool:
        try:
            return await self._policy.identify(request) == who
        except (AccessRefused, StoreUnavailable):
            return False

    async def _known(self, request: Request) -> Identity:
        who = await self._policy.identify(request)
        if who is None:
            raise AccessRefused(401, "this needs a session, or a user's token as `Authorization: Bearer TOKEN`")
        return who

    def _check(self, request: Request, who: Identity | None) -> None:
        if who and self.guarded.required_role:
            require_role(request, self.guarded.required_role)
        if who and who.csrf_token and request.method not in SAFE:
            _check_meant(request, who)


async def _called(endpoint: Endpoint, request: Request) -> Response:
    whole = inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(getattr(endpoint, "__call__", None))  # noqa: B004
    response: Any = await endpoint(request) if whole else await run_in_threadpool(endpoint, request)  # type: ignore[misc]
    assert isinstance(response, Response)
    return response


async def _take_body(request: Request) -> None:
    try:
        body = await read_body(request, BODY_SIZE_MAX_BYTES)
    except BodyRefused as refused:
        raise AccessRefused(refused.status, refused.detail) from None
    except ClientDisconnect:
        raise AccessRefused(408, "the body broke off; expected all of it") from None
    request.state.body = body
    request.state.form = FormData(_fields(request, body))


def _fields(request: Request, body: bytes) -> list[tuple[str, str | UploadFile]]:
    if not is_form(request):
        return []
    try:
        return [*parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)]
    except ValueError:
        msg = f"the form is not understood: expected at most {FIELDS_MAX} fields in UTF-8"
        raise AccessRefused(400, msg) from None


def _check_meant(request: Request, who: Identity) -> None:
    """Refuse a request that another site may have made the browser send: it does not know the session's token."""
    given = request.headers.get(CSRF_HEADER) or str(request.state.form.get(CSRF_FIELD, ""))
    if not hmac.compare_digest(unmask_token(given).encode(), who.csrf_token.encode()):
        raise AccessRefused(
            403, "the form is not one of this session's, or too old: go back, load the page again, and send it again"
        )


def _name(guarded: GuardedRoute) -> str:
    endpoint: Any = guarded.endpoint
    return str(getattr(endpoint, "__name__", type(endpoint).__name__))
