"""How the proofs of a ledger stand: how far the tree is, what was signed last and who cosigned it, and what is wrong."""

from contextlib import suppress
from threading import Lock
from typing import Any

import msgspec

from domain import times
from domain.errors import LedgerError
from domain.ledger import Ledger
from domain.proofs.notes import parse_note
from domain.proofs.refusals import ProofRefused
from projections.proofs.proof_store import ProofStore, find_proofs
from projections.proofs.tree_rows import KeptCheckpoint, ProofState

LAG_SECONDS_MAX = 60
INTERVALS_MAX = 10


class ProofStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the proofs of a ledger stand; times are microseconds, UTC, or None.

    ``size`` is how many events the tree has, ``lag`` how many it lacks, ``lag_seconds`` for how long the first of those has
    been in the log. ``checkpoint_size`` and ``checkpoint_at`` are those of the last checkpoint, ``witnesses`` who cosigned
    it; nothing is proved of the time before ``since``. ``diverged`` says how the log and the tree differ; ``problem`` is
    the first thing that needs attention, that one included, or empty.
    """

    size: int = 0
    lag: int = 0
    lag_seconds: int = 0
    epoch: int = 1
    origin: str = ""
    key: str = ""
    checkpoint_size: int | None = None
    checkpoint_at: int | None = None
    witnesses: list[str] = []
    witness_failures: str = ""
    since: int | None = None
    copy: bool = False
    diverged: str = ""
    problem: str = ""


class ProofReader:
    """The open proofs of one ledger, for many looks at them; opened when they are first there."""

    def __init__(self, ledger: Ledger, checkpoint_seconds: int) -> None:
        """Read the proofs of ``ledger``; a checkpoint is expected each ``checkpoint_seconds``."""
        self._ledger = ledger
        self._interval = checkpoint_seconds
        self._lock = Lock()
        self._store: ProofStore | None = None

    def status(self, now: int, failure: str = "") -> ProofStatus:
        """Return how the proofs stand at a moment; ``failure`` is what stopped the prover, where that is known."""
        try:
            with self._lock:
                found = self._look()
        except LedgerError as error:
            self.close()
            return ProofStatus(problem=str(error))
        if found is None:
            return ProofStatus(lag=self._ledger.head(), problem=failure and f"the proof tree stopped: {failure}")
        return self._status(now, *found, failure)

    def _look(self) -> tuple[ProofState, KeptCheckpoint | None] | None:
        if self._store and not self._store.still_exists():
            self._store.close()
            self._store = None
        self._store = self._store or find_proofs(self._ledger.url, self._ledger.id)
        if self._store is None:
            return None
        with self._store.reading() as rows:
            state = rows.state()
            return state, rows.last_checkpoint(state.epoch)

    def _status(self, now: int, state: ProofState, last: KeptCheckpoint | None, failure: str) -> ProofStatus:
        lag, seconds = self._ledger.lag(state.size, now)
        found = ProofStatus(
            size=state.size,
            lag=max(lag, 0),
            lag_seconds=seconds,
            epoch=state.epoch,
            origin=state.origin,
            key=state.vkey,
            checkpoint_size=last.size if last else None,
            checkpoint_at=last.signed_at if last else None,
            witnesses=cosigners(last, state.origin) if last else [],
            witness_failures=state.witness_failures,
            since=state.since_at or None,
            copy=bool(state.mark),
            diverged=state.diverged,
        )
        return msgspec.structs.replace(found, problem=self._problem(found, now, failure))

    def _problem(self, found: ProofStatus, now: int, failure: str) -> str:
        if found.diverged:
            return f"the log has diverged from its proofs, and nothing is signed: {found.diverged}"
        if failure:
            return f"the proof tree stopped: {failure}"
        if found.lag_seconds > LAG_SECONDS_MAX:
            return (
                f"the proof tree is {found.lag} events and {found.lag_seconds} s behind; expected at most"
                f" {LAG_SECONDS_MAX} s: `tringledger serve` or `tringledger prove` keeps it"
            )
        if found.checkpoint_at is not None and found.size > (found.checkpoint_size or 0) and not found.copy:
            seconds = (now - found.checkpoint_at) // times.SECOND
            if seconds > max(INTERVALS_MAX * self._interval, LAG_SECONDS_MAX):
                return f"the last checkpoint is {seconds} s old, and the log has grown since; expected one each {self._interval} s"
        if found.witness_failures:
            return f"the last checkpoint was not cosigned by all witnesses: {found.witness_failures}"
        return ""

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            if self._store:
                self._store.close()
            self._store = None


def read_proof_status(ledger: Ledger, checkpoint_seconds: int, now: int) -> ProofStatus:
    """Return how the proofs of a ledger stand at a moment, once."""
    reader = ProofReader(ledger, checkpoint_seconds)
    try:
        return reader.status(now)
    finally:
        reader.close()


def cosigners(checkpoint: KeptCheckpoint, origin: str) -> list[str]:
    """Return the names of the witnesses whose lines a checkpoint carries."""
    with suppress(ProofRefused):
        return [line.name for line in parse_note(checkpoint.note).signatures if line.name != origin]
    return []


def proof_status_document(status: ProofStatus) -> dict[str, Any]:
    """Return a status as what its JSON says: times in ISO 8601."""
    document: dict[str, Any] = msgspec.to_builtins(status)
    for name in ("checkpoint_at", "since"):
        document[name] = document[name] and times.iso(document[name])
    return document
