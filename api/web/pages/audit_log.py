"""The page of the audit log, newest first, for the role ``operate``."""

from starlette.requests import Request
from starlette.responses import Response

from api.web.auth import audit_log as records
from api.web.auth.authenticator import Authenticator
from api.web.auth.guard import AccessRefused, GuardedRoute, Role
from api.web.auth.roles import AuditAction
from api.web.pages.rendering import render
from domain.text import is_whole_number

PATH = "/access-log"
ENTRIES = 100


def routes() -> list[GuardedRoute]:
    """Return the audit log's page."""
    return [GuardedRoute(PATH, log, Role.OPERATE, name="access_log")]


def log(request: Request) -> Response:
    """Show the latest entries, or those before a number, optionally of one user or action."""
    authenticator: Authenticator = request.app.state.authenticator
    query = request.query_params
    who, did = query.get("who", ""), query.get("did", "")
    before = _before(query.get("before", ""))
    found = records.audit_page(authenticator.store, before=before, who=who, did=did, limit=ENTRIES + 1)
    shown = found[:ENTRIES] if request.state.identity.sees_pii else records.mask_entries(found[:ENTRIES])
    more = shown[-1].id if len(found) > ENTRIES else None
    filters = {"who": who, "did": did}
    return render(
        request,
        "audit_log.html",
        filters=filters,
        kinds=list(AuditAction),
        entries=shown,
        is_first=before is None,
        more=more,
    )


def _before(text: str) -> int | None:
    if text and not is_whole_number(text):
        msg = f"before={text!r}: expected an entry's number"
        raise AccessRefused(400, msg)
    return int(text) if text else None
