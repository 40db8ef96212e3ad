"""Flash messages: the result of a form, shown on the page that the user returns to.

The message is part of the address, signed with the user's session: a link sent by someone else cannot show words of
its own.
"""

import hmac
from typing import NamedTuple

from starlette.requests import Request

DONE, FAILED, MARK = "done", "failed", "mark"
NAMES = (DONE, FAILED, MARK)


class FlashMessage(NamedTuple):
    """What was done and what failed, each a sentence or empty."""

    done: str = ""
    failed: str = ""


def flash_query(request: Request, outcome: FlashMessage) -> list[tuple[str, str]]:
    """Return a message as query parameters."""
    said = [(name, value) for name, value in outcome._asdict().items() if value]
    return [*said, (MARK, _mark(request, outcome))] if said else []


def read_flash(request: Request) -> FlashMessage:
    """Return the message in an address, if this session made it."""
    given = request.query_params
    outcome = FlashMessage(given.get(DONE, ""), given.get(FAILED, ""))
    is_ours = hmac.compare_digest(given.get(MARK, "").encode(), _mark(request, outcome).encode())
    return outcome if is_ours else FlashMessage()


def _mark(request: Request, outcome: FlashMessage) -> str:
    key: str = request.state.csrf_token
    return hmac.digest(key.encode(), "\0".join(outcome).encode(), "sha256").hex() if key else "none"
