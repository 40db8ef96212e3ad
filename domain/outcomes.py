"""The outcomes of recording a notification, from which the answers to callers follow (SPEC 2)."""

from uuid import UUID

import msgspec

from domain.notices.notification import ParameterProblem
from domain.notices.signature import SIGNATURE_REUSED

WRONG_SIGNATURE = "the signature is wrong or missing"


class Recorded(msgspec.Struct, frozen=True):
    """The notification is now an event, at this position; ``call`` is the stream of its call, if it belongs to one."""

    position: int
    call: UUID | None = None

    @property
    def call_id(self) -> str:
        """The id of its call, or nothing."""
        return str(self.call or "")


class Duplicate(msgspec.Struct, frozen=True):
    """The same notification is an event already, at this position; nothing was stored."""

    position: int


class Quarantined(msgspec.Struct, frozen=True):
    """The notification was quarantined under this number; ``is_new`` is false if it was in quarantine already.

    ``problem`` is the value that breaks SPEC 1, or None if the signature is wrong or missing, or was used ``before``
    by the event at that position.
    """

    entry: int
    problem: ParameterProblem | None
    is_new: bool
    before: int = 0

    @property
    def reason(self) -> str:
        """Why it was quarantined, as a sentence."""
        if self.problem is not None:
            return str(self.problem)
        return signature_reused(self.before) if self.before else WRONG_SIGNATURE


class Rejected(msgspec.Struct, frozen=True):
    """The notification can be neither recorded nor quarantined, because the quarantine is full; TringMe must retry."""

    reason: str


class RowConflict(msgspec.Struct, frozen=True):
    """A table's row has the source and id of an event with other parameters, at this position; nothing was stored (SPEC 9.6)."""

    position: int


def signature_reused(position: int) -> str:
    """Return why a notice is not genuine whose signature the event at a position has used (SPEC 9.3)."""
    return f"{SIGNATURE_REUSED}{position}, with other parameters"


def quarantine_full(notices: int) -> Rejected:
    """Return the outcome for a quarantine that is full with so many notices, before any signature has fitted."""
    return Rejected(
        f"the quarantine holds {notices} notices and no signature has ever fitted: nothing is dropped until one"
        " does; check the formula and the private key"
    )


RecordOutcome = Recorded | Duplicate | Quarantined | Rejected | RowConflict
