"""What became of a notification: the four answers that a ledger gives, from which callers get theirs (SPEC 2)."""

import msgspec

from domain.notices.notification import ParameterProblem

WRONG_SIGNATURE = "the signature is wrong or missing"


class Recorded(msgspec.Struct, frozen=True):
    """It is now an event, at this position; ``call_id`` is empty where it belongs to no call."""

    position: int
    call_id: str = ""


class Duplicate(msgspec.Struct, frozen=True):
    """The same notification is already an event, at this position; nothing was kept."""

    position: int


class Quarantined(msgspec.Struct, frozen=True):
    """It is unfit and was kept aside under this number; ``is_new`` is false where it was there already.

    ``problem`` is the value that breaks SPEC 1, or None where the signature is wrong or missing.
    """

    entry: int
    problem: ParameterProblem | None
    is_new: bool

    @property
    def reason(self) -> str:
        """Why it is unfit, as a sentence."""
        return WRONG_SIGNATURE if self.problem is None else str(self.problem)


class Rejected(msgspec.Struct, frozen=True):
    """It is unfit and there was no room to keep it: the sender must come again."""

    reason: str


def quarantine_full(quarantine_max: int) -> Rejected:
    """Return the answer where the quarantine is full before a signature has ever fitted."""
    return Rejected(
        f"the quarantine holds {quarantine_max} notices and no signature has ever fitted: nothing is dropped until one"
        " does; check the formula and the private key"
    )


RecordOutcome = Recorded | Duplicate | Quarantined | Rejected
