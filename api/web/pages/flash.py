"""What came of something that somebody did, told on the page that he came back to.

It stands in the address, with a mark that only his session makes: no link that others send can put words into our mouth.
"""

import hmac
from typing import NamedTuple

from starlette.requests import Request

DONE, FAILED, MARK = "done", "failed", "mark"
NAMES = (DONE, FAILED, MARK)


class FlashMessage(NamedTuple):
    """What was done, and what failed, each as a sentence or empty."""

    done: str = ""
    failed: str = ""


def flash_query(request: Request, outcome: FlashMessage) -> list[tuple[str, str]]:
    """Return an outcome as it stands in an address."""
    said = [(name, value) for name, value in outcome._asdict().items() if value]
    return [*said, (MARK, _mark(request, outcome))] if said else []


def read_flash(request: Request) -> FlashMessage:
    """Return the outcome that an address has, if this session's own doing led there."""
    given = request.query_params
    outcome = FlashMessage(given.get(DONE, ""), given.get(FAILED, ""))
    is_ours = hmac.compare_digest(given.get(MARK, "").encode(), _mark(request, outcome).encode())
    return outcome if is_ours else FlashMessage()


def _mark(request: Request, outcome: FlashMessage) -> str:
    key: str = request.state.csrf_token
    return hmac.digest(key.encode(), "\0".join(outcome).encode(), "sha256").hex() if key else "none"
