"""The plan: every request and its time, fixed before the first one is sent, so that a seed always gives the same bytes.

Requests that are sent in order are a chain: each waits for the answer to the one before. Chains are independent.
"""

from collections.abc import Iterable
from random import Random
from typing import Literal, NamedTuple

import msgspec

from api.application.rehearsal.simulated_call import CallSequence, Kind, Pairs
from domain.notices import notification
from domain.notices.notification import encode_query
from domain.notices.signature import UNCHECKED, sign

# Less than the ledger's grace: a later notice could rightly count for another call (SPEC 6).
PATIENCE_SECONDS, PATIENCE_SECONDS_MAX = 60.0, 240.0

# How a request is first sent: plainly, in pieces, only half of it, or without waiting for the answer.
Manner = Literal["plain", "slow", "half", "impatient"]
What = Literal["genuine", "wrong-signature", "broken", "garbage"]


class NoticeRef(NamedTuple):
    """The notice in a request: the numbers of its call and of itself, its kind, and how often it was signed before."""

    call: int
    notice: int
    kind: Kind
    signed_before: int = 0


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request; ``due`` is in microseconds since the rehearsal began, ``query`` the parameters as they are sent.

    A broken request names the parameter ``at_fault``. Garbage is in ``raw``, as bytes of a request with
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
    """Whether the chain's line has only one call."""
    return len({sending.notified.call for sending in chain if sending.notified}) == 1


class Signer:
    """Signs as TringMe does, with a unique random number."""

    def __init__(self, seed: int, formula: str, key: str) -> None:
        """Sign with ``formula`` (``off``: no signature) and the private key; random numbers come from ``seed``."""
        self.formula = formula
        self.key = key
        self._random = Random(f"r {seed}")

    def sign(self, pairs: Pairs, key: str = "") -> Pairs:
        """Return the parameters with ``r`` and ``sig``, signed with the private key, or with another one."""
        # TringMe's are shorter; these are unique in all rehearsals.
        named = [*pairs, ("r", str(self._random.getrandbits(50)))]
        return named if self.formula == UNCHECKED else sign(self.formula, named, key or self.key)


def orderly_plan(happenings: Iterable[CallSequence], speed: float, signer: Signer) -> list[Chain]:
    """Return a chain for each line, as a platform and a network without faults would send them.

    ``speed`` is how many times as fast as in real time calls run.
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
