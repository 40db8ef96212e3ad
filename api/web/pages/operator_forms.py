"""Operator commands from a page: run in one transaction, then back to the page that they came from."""

from contextlib import suppress
from time import monotonic, sleep
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.application.operator_commands import Command, run_command
from api.web.hidden_address import hide_address
from api.web.pages import flash as outcome
from api.web.pages.display import back
from api.web.pages.flash import FlashMessage
from domain.errors import LedgerError

CATCH_UP_SECONDS_MAX = 2.0
LOOK_SECONDS = 0.05


def run_form(request: Request, reason: str, command: Command) -> None:
    """Run a command for the user, and wait a moment until the read models show it.

    Raises CommandRejected, StoreUnavailable.
    """
    result = run_command(request.app.state.ledger, request.state.identity.name, reason, command)
    wait_for(request, result.position)


def wait_for(request: Request, position: int) -> None:
    """Wait until the read models reach a position of the log, but not for long: they may be stopped."""
    until = monotonic() + CATCH_UP_SECONDS_MAX
    with suppress(LedgerError):
        while monotonic() < until:
            with request.app.state.read_models.session() as room:
                if room.position >= position:
                    return
            sleep(LOOK_SECONDS)


def redirect_back(request: Request, to: str, done: str = "", failed: str = "") -> Response:
    """Redirect to a page of ours that says what was done, or what failed."""
    address = back(str(request.state.form.get("back") or to))
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in outcome.NAMES]
    failed = hide_address(failed, request.app.state.ledger.url)
    query += outcome.flash_query(request, FlashMessage(done, failed))
    return RedirectResponse(f"{parts.path}?{urlencode(query)}" if query else parts.path, 303)
