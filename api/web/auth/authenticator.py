"""Identifies the user of each request; a user who is removed is out at once, in every process.

A valid token is accepted even from an address with too many failed attempts: 256 bits cannot be guessed, but many
users may share an address.
"""

import logging
from collections.abc import Callable
from threading import Lock
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.web.auth import audit_log as records
from api.web.auth import sessions, users
from api.web.auth import sign_in_throttle as attempts
from api.web.auth.audit_log import AuditEntry
from api.web.auth.page_views import PageViews
from api.web.auth.refusal import SIGN_IN, AccessRefused
from api.web.auth.roles import AuditAction, Identity
from api.web.auth.store import AccessStore, open_access_store
from domain.errors import StoreReadOnly

COOKIE = "tringledger"
SESSION, TOKEN = "session", "token"

_log = logging.getLogger(__name__)


class Authenticator:
    """Identifies the user of a request, and writes the audit log."""

    def __init__(self, url: str, clock: Callable[[], int]) -> None:
        """Use the access store next to the ledger at ``url``; ``clock`` gives microseconds, UTC.

        The store is opened at the first request that needs it, so callbacks do not depend on it.
        """
        self._url = url
        self.clock = clock
        self._lock = Lock()
        self._views = PageViews()
        self._opened: AccessStore | None = None

    @property
    def store(self) -> AccessStore:
        """The access store as it is now: its file may have been deleted. Raises StoreUnavailable."""
        with self._lock:
            if self._opened and not self._opened.still_exists():
                self._opened.close()
                self._opened = None
            self._opened = self._opened or open_access_store(self._url, durable=False)
            return self._opened

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            if self._opened:
                self._opened.close()
            self._opened = None

    async def identify(self, request: Request) -> Identity | None:  # noqa: D102
        if "authorization" not in request.headers and self.cookie_name(request) not in request.cookies:
            return None
        return await run_in_threadpool(self._who, request)

    def _who(self, request: Request) -> Identity | None:
        given = request.headers.get("authorization")
        if given is None:
            return sessions.find_session(self.store, request.cookies[self.cookie_name(request)], self.clock())
        scheme, _, token = given.partition(" ")
        user = users.user_with_token(self.store, token.strip()) if scheme.lower() == "bearer" else None
        if user:
            return Identity(user.name, user.roles, TOKEN)
        self.attempt(request)
        self.note(request, "", AuditAction.FAILED, 401, how=TOKEN)
        raise AccessRefused(401, "no user has this token: expected `Authorization: Bearer TOKEN`")

    def attempt(self, request: Request, name: str | None = None) -> int:
        """Count a request as a failed sign-in, by name too if it gives one; return the moment that it counts from.

        Raises AccessRefused after too many.
        """
        of = [attempts.of_address(host(request))] + ([] if name is None else [attempts.of_name(name)])
        now = self.clock()
        wait = attempts.begin_attempt(self.store, of, now)
        if wait:
            detail = f"too many sign-ins failed: expected no other within {wait} s"
            raise AccessRefused(429, detail, {"Retry-After": str(wait)})
        return now

    def cookie_name(self, request: Request) -> str:
        """Return the name of the session cookie; over HTTPS the browser binds it to this host and to HTTPS."""
        return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE

    async def record(self, request: Request, who: Identity, did: AuditAction, status: int) -> None:
        """Add an entry for what a user did; a page with its fragments is one view, and one that a redirect opens is named by it."""
        path, query, to = request.scope["path"], request.url.query, urlsplit(request.state.opens)
        if did is AuditAction.VIEWED and to.path:
            self._views.add_opened(who.name, who.how, to, self.clock())
        elif did is AuditAction.VIEWED and self._views.add(who.name, who.how, path, query, self.clock()):
            return
        where = (to.path, to.query) if to.path else None
        await run_in_threadpool(self.note, request, who.name, did, status, where, how=who.how, unmasked=who.sees_pii)

    def note(
        self,
        request: Request,
        who: str,
        did: AuditAction,
        status: int,
        where: tuple[str, str] | None = None,
        *,
        how: str = SESSION,
        unmasked: bool = False,
    ) -> None:
        """Add an entry to the audit log; ``where`` is the path and the query that it names, by default the request's own."""
        path, query = where or (request.url.path, request.url.query)
        # A sign-in link is a secret: it does not belong in the log.
        query = "" if path == SIGN_IN else query
        of = (self.clock(), who, how, host(request), did, unmasked, request.method, path, query, status)
        entry = AuditEntry(*of)
        try:
            records.add_entry(self.store, entry)
        except StoreReadOnly:
            # On a standby what is read is still recorded somewhere: in the service's own log.
            (masked,) = records.mask_entries([entry])
            _log.warning("audit log, on a standby: %s %s %s %s %s", who, how, did, status, masked.what)


def host(request: Request) -> str:
    """Return the address that a request came from, or an empty text if it is unknown."""
    return request.client.host if request.client else ""
