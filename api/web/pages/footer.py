"""What every page says at its foot: how far the ledger is, how far its read models are behind, and whether signatures count."""

from typing import NamedTuple

from starlette.requests import Request

from domain.errors import LedgerError
from domain.notices.signature import UNCHECKED


class Footer(NamedTuple):
    """The log's head and the read models' lag, in events; ``failure`` is what stops something, in one line.

    ``head`` is None where the store cannot be asked.
    """

    ledger: str
    head: int | None
    position: int | None
    lag: int
    signature: str
    failure: str

    @property
    def signature_is_off(self) -> bool:
        """Whether notices from anybody are taken."""
        return self.signature == UNCHECKED


def read_footer(request: Request) -> Footer | None:
    """Look at the ledger a page is about; None where a page is about none."""
    state = request.app.state
    ledger, service = getattr(state, "ledger", None), getattr(state, "service", None)
    if ledger is None:
        return None
    signature = state.settings.signature
    try:
        head = ledger.head()
    except LedgerError as error:
        return Footer(ledger.id, None, None, 0, signature, str(error))
    following = service.follower.state if service else None
    position = following.position if following else None
    failure = following.failure if following else ""
    return Footer(ledger.id, head, position, max(head - position, 0) if position else 0, signature, failure)
