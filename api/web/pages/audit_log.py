"""The page of the access log, newest first, for who may operate."""

from starlette.requests import Request
from starlette.responses import Response

from api.web.auth import audit_log as records
from api.web.auth.authenticator import Doorkeeper
from api.web.auth.guard import Guarded, Refused, Role
from api.web.auth.roles import Did
from api.web.pages.rendering import render

PATH = "/access-log"
ENTRIES = 100
DIGITS_MAX = 18


def routes() -> list[Guarded]:
    """Return the access log's page."""
    return [Guarded(PATH, log, Role.OPERATE, name="access_log")]


def log(request: Request) -> Response:
    """Show the latest entries, those of a user or of a kind, or those before one."""
    door: Doorkeeper = request.app.state.door
    query = request.query_params
    who, did = query.get("who", ""), query.get("did", "")
    before = _before(query.get("before", ""))
    found = records.page(door.store, before=before, who=who, did=did, limit=ENTRIES + 1)
    shown = found[:ENTRIES] if request.state.who.sees_pii else records.masked(found[:ENTRIES])
    more = shown[-1].id if len(found) > ENTRIES else None
    filters = {"who": who, "did": did}
    return render(
        request, "access_log.html", filters=filters, kinds=list(Did), entries=shown, is_first=before is None, more=more
    )


def _before(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        msg = f"before={text!r}: expected an entry's number"
        raise Refused(400, msg)
    return int(text) if text else None
