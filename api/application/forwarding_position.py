"""The position up to which the log was forwarded, and the ranges that operators skipped.

Both are kept in the ledger's facts, so they move with the ledger. The position only moves forward: past notifications that
the handler accepted, past events that are not forwarded, and past ranges that an operator skipped, which are kept.
"""

from collections.abc import Mapping

import msgspec

from api.application.process_state import ProcessState
from domain import times
from domain.errors import WrongUsage
from domain.ledger import Ledger

FORWARDED = "forwarded"
SKIPPED = "forwarding_skipped:"


class CannotSkip(WrongUsage):
    """The position is already forwarded, or the log does not have it."""


class SkippedRange(msgspec.Struct, frozen=True):
    """Positions from ``first`` to ``last`` that an operator skipped, when (ISO 8601, UTC), and why."""

    first: int
    last: int
    at: str
    reason: str


def load_or_start(ledger: Ledger) -> ProcessState:
    """Return how far the log was forwarded; at the first start, all earlier events count as forwarded."""
    kept = load_position(ledger)
    if kept is None:
        with ledger.store.transaction() as log:
            kept = _decoded(log.get_fact(FORWARDED)) or ProcessState(log.position)
            log.set_fact(FORWARDED, _encoded(kept))
    return kept


def load_position(ledger: Ledger) -> ProcessState | None:
    """Return how far the log was forwarded and what stopped that, or None if it was never forwarded."""
    return position_in(ledger.store.facts())


def position_in(facts: Mapping[str, str]) -> ProcessState | None:
    """Return the same from a ledger's facts."""
    return _decoded(facts.get(FORWARDED))


def save_position(ledger: Ledger, state: ProcessState) -> ProcessState:
    """Commit the position of forwarding; return the saved state, which is further if an operator skipped a range."""
    with ledger.store.transaction() as log:
        kept = _decoded(log.get_fact(FORWARDED))
        if kept and kept.position > state.position:
            return kept
        log.set_fact(FORWARDED, _encoded(state))
    return state


def skip_through(ledger: Ledger, last: int, reason: str, now: int) -> SkippedRange:
    """Skip everything up to and including a position, and keep a record of that; raises CannotSkip."""
    with ledger.store.transaction() as log:
        kept = _decoded(log.get_fact(FORWARDED)) or ProcessState(log.position)
        if not kept.position < last <= log.position:
            msg = (
                f"cannot skip position {last}; expected one after {kept.position}, which is already forwarded, and up to"
                f" {log.position}, the head of the log"
            )
            raise CannotSkip(msg)
        skipped = SkippedRange(kept.position + 1, last, times.iso(now), reason)
        log.set_fact(FORWARDED, _encoded(ProcessState(last)))
        log.set_fact(f"{SKIPPED}{last}", msgspec.json.encode(skipped).decode())
    return skipped


def skipped_ranges(ledger: Ledger) -> list[SkippedRange]:
    """Return the ranges that operators skipped, in order of position."""
    return skipped_ranges_in(ledger.store.facts())


def skipped_ranges_in(facts: Mapping[str, str]) -> list[SkippedRange]:
    """Return the same from a ledger's facts."""
    found = [msgspec.json.decode(value, type=SkippedRange) for name, value in facts.items() if name.startswith(SKIPPED)]
    return sorted(found, key=lambda skipped: skipped.first)


def _encoded(state: ProcessState) -> str:
    return msgspec.json.encode(state).decode()


def _decoded(fact: str | None) -> ProcessState | None:
    return None if fact is None else msgspec.json.decode(fact, type=ProcessState)
