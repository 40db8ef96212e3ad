"""The forwarder as the service and the commands know it: the process, and how far it has come in the log.

That is kept among the ledger's own facts, so that it goes wherever the ledger goes.
The position never goes back, and only moves on: past what the handler took, past what is not forwarded, and past what an
operator passes over, which leaves a trace that stays.
"""

import msgspec

from api.application.process_state import ProcessState
from domain import times
from domain.errors import WrongUsage
from domain.ledger import Ledger

FORWARDED = "forwarded"
SKIPPED = "forwarding_skipped:"


class CannotSkip(WrongUsage):
    """The position is one that forwarding has passed already, or that the log does not have."""


class SkippedRange(msgspec.Struct, frozen=True):
    """What an operator passed over: positions from ``first`` to ``last``, when (ISO 8601, UTC), and why."""

    first: int
    last: int
    at: str
    reason: str


def load_or_start(ledger: Ledger) -> ProcessState:
    """Return how far the log was forwarded; when that is switched on first, what came before counts as forwarded."""
    kept = load_position(ledger)
    if kept is None:
        with ledger.store.transaction() as log:
            kept = _decoded(log.get_fact(FORWARDED)) or ProcessState(log.position)
            log.set_fact(FORWARDED, _encoded(kept))
    return kept


def load_position(ledger: Ledger) -> ProcessState | None:
    """Return how far the log was forwarded and what then stopped that, or None where it never was."""
    return _decoded(ledger.store.facts().get(FORWARDED))


def save_position(ledger: Ledger, state: ProcessState) -> ProcessState:
    """Keep how far forwarding has come, durably; return what is kept, which is further where an operator skipped."""
    with ledger.store.transaction() as log:
        kept = _decoded(log.get_fact(FORWARDED))
        if kept and kept.position > state.position:
            return kept
        log.set_fact(FORWARDED, _encoded(state))
    return state


def skip_through(ledger: Ledger, last: int, reason: str, now: int) -> SkippedRange:
    """Pass over everything up to and including a position, and leave a trace of that; raises CannotSkip."""
    with ledger.store.transaction() as log:
        kept = _decoded(log.get_fact(FORWARDED)) or ProcessState(log.position)
        if not kept.position < last <= log.position:
            msg = (
                f"position {last} cannot be passed over: expected one after {kept.position}, which is forwarded, up to"
                f" {log.position}, the log's head"
            )
            raise CannotSkip(msg)
        skipped = SkippedRange(kept.position + 1, last, times.iso(now), reason)
        log.set_fact(FORWARDED, _encoded(ProcessState(last)))
        log.set_fact(f"{SKIPPED}{last}", msgspec.json.encode(skipped).decode())
    return skipped


def skipped_ranges(ledger: Ledger) -> list[SkippedRange]:
    """Return what operators have passed over, in order of position."""
    facts = ledger.store.facts().items()
    found = [msgspec.json.decode(value, type=SkippedRange) for name, value in facts if name.startswith(SKIPPED)]
    return sorted(found, key=lambda skipped: skipped.first)


def _encoded(state: ProcessState) -> str:
    return msgspec.json.encode(state).decode()


def _decoded(fact: str | None) -> ProcessState | None:
    return None if fact is None else msgspec.json.decode(fact, type=ProcessState)
