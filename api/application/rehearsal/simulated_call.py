"""A simulated call: what the platform knows, and the notices that it sends.

The platform knows which notices belong to which call, and the ledger has to find out. So these books can verify the ledger.
"""

from typing import Literal

import msgspec

Pairs = list[tuple[str, str]]
Kind = Literal["opening", "input", "outcome", "cdr", "voicemail", "deletechannel"]
KINDS: tuple[Kind, ...] = ("opening", "input", "outcome", "cdr", "voicemail", "deletechannel")


class SimulatedNotice(msgspec.Struct, frozen=True):
    """One notification, not yet signed; ``after`` is when it is sent, in microseconds since its line's first call began."""

    kind: Kind
    after: int
    pairs: Pairs

    def value(self, name: str) -> str:
        """Return a parameter's value, empty where it is absent."""
        return next((value for given, value in self.pairs if given == name), "")


class SimulatedCall(msgspec.Struct, frozen=True):
    """One call, or a notice of the system, which belongs to none; ``src`` is the number as new ledgers have it.

    ``sort`` says what it is: single, bulk, again (a number called several times), flash, voicemail or deletechannel.
    """

    sort: str
    tag: str
    src: str
    notices: list[SimulatedNotice]


class CallSequence(msgspec.Struct, frozen=True):
    """Consecutive calls of one line; ``begins`` is in microseconds of real time since the rehearsal began."""

    begins: int
    calls: list[SimulatedCall]
