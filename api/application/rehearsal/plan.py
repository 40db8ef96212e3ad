"""The plan: every request that will be made and when, fixed before the first one, so that a seed gives the same bytes.

What is sent in order is a chain: each request of it waits for the answer to the one before. Chains know nothing of each
other.
"""

from collections.abc import Iterable
from random import Random
from typing import Literal, NamedTuple

import msgspec

from api.application.rehearsal.simulated_call import CallSequence, Kind, Pairs
from domain.notices import notification
from domain.notices.notification import encode_query
from domain.notices.signature import UNCHECKED, sign

# Less than the ledger's grace: a notice that comes later may rightly be taken for another call's (SPEC 6).
PATIENCE_SECONDS, PATIENCE_SECONDS_MAX = 60.0, 240.0

# How a request is made the first time: plainly, in pieces, given up after half of it, or hung up on before the answer.
Manner = Literal["plain", "slow", "half", "impatient"]
What = Literal["genuine", "wrong-signature", "broken", "garbage"]


class NoticeRef(NamedTuple):
    """Which notice a request carries: its call's and its own number, its kind, and how often it was signed before."""

    call: int
    notice: int
    kind: Kind
    signed_before: int = 0


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request; ``due`` is in microseconds since the rehearsal began, ``query`` the parameters as they are sent.

    What is broken names the parameter ``at_fault``. Garbage is ``raw``, a request as its bytes go over the wire, with
    ``{path}`` where the notify URL's path belongs.
    """

    due: int
    what: What = "genuine"
    notified: NoticeRef | None = None
    query: bytes = b""
    posted: bool = False
    manner: Manner = "plain"
    at_fault: str = ""
    raw: bytes = b""

    @property
    def pairs(self) -> Pairs:
        """The parameters, decoded."""
        return notification.parse_pairs(self.query)

    @property
    def unsigned(self) -> Pairs:
        """The parameters without ``r`` and ``sig``."""
        return [pair for pair in self.pairs if pair[0] not in ("r", "sig")]


Chain = list[PlannedRequest]


def is_quiet(chain: Chain) -> bool:
    """Whether the chain's line carries one call only."""
    return len({sending.notified.call for sending in chain if sending.notified}) == 1


class Signer:
    """Signs as TringMe does, with a random number that no other notice has."""

    def __init__(self, seed: int, formula: str, key: str) -> None:
        """Take the seed of the random numbers, the formula (``off``: nothing is signed), and the private key."""
        self.formula = formula
        self.key = key
        self._random = Random(f"r {seed}")

    def sign(self, pairs: Pairs, key: str = "") -> Pairs:
        """Return the parameters with ``r`` and ``sig``, signed with the private key, or with another one."""
        # TringMe's are shorter; of these no two are ever the same, in this rehearsal or another one.
        named = [*pairs, ("r", str(self._random.getrandbits(50)))]
        return named if self.formula == UNCHECKED else sign(self.formula, named, key or self.key)


def orderly_plan(happenings: Iterable[CallSequence], speed: float, signer: Signer) -> list[Chain]:
    """Return a chain for each line, as a platform and a network without fault would send them.

    ``speed`` is how many times as fast as in real time calls go on once they have begun.
    """
    chains: list[Chain] = []
    call_number = 0
    for happening in happenings:
        chain: Chain = []
        for call in happening.calls:
            for number, notice in enumerate(call.notices):
                due = happening.begins + round(notice.after / speed)
                notified = NoticeRef(call_number, number, notice.kind)
                chain.append(PlannedRequest(due=due, notified=notified, query=encode_query(signer.sign(notice.pairs))))
            call_number += 1
        chains.append(chain)
    return chains
