"""Chaos: what platforms and networks do to notices, within the limits that a ledger can resolve (SPEC 6).

A line with a single call, and silence before it, may lose notices and get the others in any order. On a line that is
called again soon, notices come in order, each after the answer to the one before, and a CDR is signed again only while no
other call of the line lacks its CDR: ambiguous notices could not be verified. Repeating an answered notice is harmless
everywhere.
"""

from collections.abc import Collection, Iterable, Iterator
from random import Random

from msgspec.structs import replace

from api.application.rehearsal import invalid_requests as unfit
from api.application.rehearsal.plan import Chain, Manner, PlannedRequest, Signer, is_quiet
from api.application.rehearsal.simulated_call import Kind
from domain.notices.notification import encode_query
from domain.times import SECOND

LOST = 0.05
TWICE = 0.1
SIGNED_AGAIN = 0.15
SCATTERED = 0.4
UNFIT = 0.05
LATE_SECONDS_MAX = 2.0
BURST_EVERY_SECONDS, BURST_SECONDS = 4.0, 0.6
MANNERS: tuple[tuple[float, Manner], ...] = ((0.01, "slow"), (0.025, "half"), (0.045, "impatient"))


def drop_notices(chains: Iterable[Chain], kinds: Collection[Kind], seed: int) -> list[Chain]:
    """Return the chains without some notices of these kinds, which are lost.

    Only on lines with a single call: where calls follow each other, a missing notice makes others ambiguous.
    """
    random = Random(f"loss {seed}")
    return [
        [sending for sending in chain if not _is_lost(sending, kinds, random)] if is_quiet(chain) else chain
        for chain in chains
    ]


def _is_lost(sending: PlannedRequest, kinds: Collection[Kind], random: Random) -> bool:
    return bool(sending.notified and sending.notified.kind in kinds and random.random() < LOST)


class Chaos:
    """Adds faults to an orderly plan."""

    def __init__(self, seed: int, signer: Signer) -> None:
        """Draw from ``seed``; ``signer`` signs what is signed again."""
        self._random = Random(f"chaos {seed}")
        self._signer = signer
        self._offset = self._random.random() * BURST_EVERY_SECONDS * SECOND

    def disturb(self, chains: Iterable[Chain]) -> list[Chain]:
        """Return the plan with all faults."""
        disturbed: list[Chain] = []
        for chain in chains:
            disturbed += self._quiet(chain) if is_quiet(chain) else [list(self._busy(chain))]
            for sending in chain:
                if self._happens(UNFIT):
                    disturbed.append(
                        [unfit.invalid_request(self._random, self._signer, sending, self._late(sending.due))]
                    )
        return [[self._held(self._mannered(sending)) for sending in chain] for chain in disturbed]

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    def _late(self, due: int) -> int:
        return due + int(self._random.random() * LATE_SECONDS_MAX * SECOND)

    def _quiet(self, chain: Chain) -> Iterator[Chain]:
        """Let the notices of a line's only call overtake each other, repeat, and be signed again at any time."""
        if self._happens(SCATTERED):
            yield from ([replace(sending, due=self._late(sending.due))] for sending in chain)
        else:
            yield chain
        for sending in chain:
            if self._happens(TWICE):
                yield [self._copy(sending, self._late(sending.due))]
            if self._is_signed_again(sending):
                yield [self._signed_again(sending, self._late(sending.due))]

    def _busy(self, chain: Chain) -> Iterator[PlannedRequest]:
        """Keep the calls of a line in order; a copy comes after its original, a CDR is signed again before the next call."""
        copies: list[PlannedRequest] = []
        for sending in chain:
            yield sending
            if self._is_signed_again(sending):
                yield self._signed_again(sending, sending.due)
            if self._happens(TWICE):
                copies.append(sending)
            if copies and self._happens(0.5):
                yield self._copy(copies.pop(), sending.due)
        yield from (self._copy(sending, chain[-1].due) for sending in copies)

    def _is_signed_again(self, sending: PlannedRequest) -> bool:
        return bool(sending.notified and sending.notified.kind == "cdr" and self._happens(SIGNED_AGAIN))

    def _signed_again(self, sending: PlannedRequest, due: int) -> PlannedRequest:
        assert sending.notified
        again = sending.notified._replace(signed_before=1)
        return replace(sending, due=due, notified=again, query=encode_query(self._signer.sign(sending.unsigned)))

    def _copy(self, sending: PlannedRequest, due: int) -> PlannedRequest:
        """Return the same notification, possibly with parameters in another order or hexadecimal digits in upper case."""
        pairs = sending.pairs
        if self._happens(0.3):
            self._random.shuffle(pairs)
        if self._happens(0.2):
            pairs = [(name, value.upper() if name == "sig" else value) for name, value in pairs]
        return replace(sending, due=due, query=encode_query(pairs))

    def _mannered(self, sending: PlannedRequest) -> PlannedRequest:
        if sending.what == "garbage":
            return sending
        chance = self._random.random()
        manner = next((manner for below, manner in MANNERS if chance < below), sending.manner)
        return replace(sending, manner=manner, posted=sending.posted or self._happens(0.2))

    def _held(self, sending: PlannedRequest) -> PlannedRequest:
        """Delay requests that fall into a pause of the platform, which then sends them all at once."""
        every, pause = int(BURST_EVERY_SECONDS * SECOND), int(BURST_SECONDS * SECOND)
        into = int(sending.due + self._offset) % every
        return replace(sending, due=sending.due + pause - into) if into < pause else sending
