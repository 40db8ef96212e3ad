"""The status line of every page: the ledger's head, the lag of its read models, and whether signatures are checked."""

from typing import NamedTuple

from starlette.requests import Request

from domain.errors import LedgerError
from domain.notices.signature import UNCHECKED


class Footer(NamedTuple):
    """The log's head and the read models' lag, in events; ``failure`` says in one line what stopped.

    ``head`` is None if the store cannot be read.
    """

    ledger: str
    head: int | None
    position: int | None
    lag: int
    signature: str
    failure: str

    @property
    def signature_is_off(self) -> bool:
        """Whether signatures are unchecked, so that anyone can add notices."""
        return self.signature == UNCHECKED


def read_footer(request: Request) -> Footer | None:
    """Return the status line, or None if the page is not about a ledger."""
    state = request.app.state
    ledger, service = getattr(state, "ledger", None), getattr(state, "service", None)
    if ledger is None:
        return None
    signature = state.settings.signature
    try:
        head, damage = ledger.head(), state.read_models.damage()
    except LedgerError as error:
        return Footer(ledger.id, None, None, 0, signature, str(error))
    following = service.follower.state if service else None
    position = following.position if following else None
    failure = (following.failure if following else "") or damage
    return Footer(ledger.id, head, position, max(head - position, 0) if position else 0, signature, failure)
