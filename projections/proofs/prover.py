"""The prover's round: take new events of the log into the tree, and sign a checkpoint where one is due.

No recording waits for it. Positions are given under the log's write lock and shown after they are durable, so a log that
has an event has all before it: a prover that finds another order, another event or a shorter log has another log before
it. It then signs nothing, whatever comes, until the log fits the tree again or an operator decides on a fork.
"""

from collections.abc import Callable
from dataclasses import dataclass

from domain import times
from domain.errors import LedgerError
from domain.events.log_row import LogRow
from domain.log.contract import Log
from domain.proofs.checkpoint import parse_checkpoint, sign_checkpoint, verify_checkpoint
from domain.proofs.entry import hash_events
from domain.proofs.keys import SigningKey, VerifierKey
from domain.proofs.merkle import verify_consistency
from domain.proofs.notes import parse_note
from domain.proofs.refusals import KeyRefused, ProofRefused
from domain.proofs.tree import GrowingTree
from domain.times import SECOND
from projections.proofs.epoch_keys import EpochKeys
from projections.proofs.proof_store import ProofStore
from projections.proofs.tree_rows import CHECKPOINT_SECONDS, HOUR, KeptCheckpoint, ProofState, TreeRows

EVENTS_A_ROUND = 4000
# So long may a log that grows faster than its tree go without a checkpoint.
BEHIND_SECONDS_MAX = 60


class LogDiverged(LedgerError):
    """The log does not continue the tree that was made from it: events are missing, changed or out of order."""


@dataclass(frozen=True)
class Round:
    """The result of a round: the tree's size, the log's head, and the last checkpoint, if there is one."""

    size: int
    head: int
    checkpoint: KeptCheckpoint | None

    @property
    def is_behind(self) -> bool:
        """Whether there is more in the log already."""
        return self.size < self.head


class Prover:
    """Keeps the tree of one log. One prover at a time should run (`Log.lock`), although two would do no harm."""

    def __init__(
        self,
        log: Log,
        store: ProofStore,
        key: SigningKey | None = None,
        *,
        checkpoint_seconds: int = CHECKPOINT_SECONDS,
        clock: Callable[[], int] = times.now,
    ) -> None:
        """Follow ``log`` into ``store``; without a key the tree grows and nothing is signed."""
        self._log = log
        self._store = store
        self._key = key
        self._interval = checkpoint_seconds * SECOND
        self._clock = clock
        self._tree, self._epoch, self._last_leaf = GrowingTree(), 0, b""

    def run_round(self) -> Round:
        """Add the next events to the tree, at most EVENTS_A_ROUND, in one transaction; then sign, if that is due.

        Raises LogDiverged where the log does not continue the tree (which is then noted in the store), KeyRefused where
        the key is not that of earlier checkpoints, ProofRefused where the tree itself does not hold, StoreUnavailable.
        """
        try:
            with self._store.writing() as rows:
                state = self._load(rows)
                # After the state: the tree may have grown since an earlier look at the log, by another prover.
                head = self._log.head()
                state = self._grow(rows, state, head)
                last = rows.last_checkpoint(state.epoch)
        except BaseException as error:
            self._forget()
            if isinstance(error, LogDiverged):
                self._note_divergence(str(error))
            raise
        if self._key and self._is_due(state, last, head):
            last = self._sign(self._key, state, last)
        return Round(state.size, head, last)

    def _forget(self) -> None:
        """Read the tree again in the next round: the transaction that changed it was not committed."""
        self._tree, self._epoch, self._last_leaf = GrowingTree(), 0, b""

    def _note_divergence(self, said: str) -> None:
        with self._store.writing() as rows:
            if rows.state().diverged != said:
                rows.note({"diverged": said})

    def _load(self, rows: TreeRows) -> ProofState:
        state = rows.state()
        if (self._epoch, self._tree.size) != (state.epoch, state.size):
            self._tree = GrowingTree.load(state.size, lambda level, number: rows.read_tile(state.epoch, level, number))
            self._last_leaf = rows.reader(state).leaf(state.size - 1) if state.size else b""
            self._epoch = state.epoch
        return state

    def _grow(self, rows: TreeRows, state: ProofState, head: int) -> ProofState:
        """Add the events behind the tree; the tree's last one is read with them, and must be there still."""
        size = state.size
        if head < size:
            msg = f"the log ends at position {head}, and its tree has {size} events; expected a head of at least {size}"
            raise LogDiverged(msg)
        # One page, from the tree's last event on: the position before it is its index.
        again = 1 if size else 0
        after, count = size - again, EVENTS_A_ROUND + again
        events = self._log.page(after, count, head)
        _check_positions(events, after + 1, min(head, after + count))
        leaves = _hash(events)
        if size and leaves.pop(0) != self._last_leaf:
            msg = f"the event at position {size} is not the one in the tree; expected leaf {self._last_leaf.hex()}"
            raise LogDiverged(msg)
        if leaves:
            rows.put_tiles(state.epoch, self._tree.append(leaves))
            rows.note({"size": self._tree.size})
            self._last_leaf = leaves[-1]
        if state.diverged:
            rows.note({"diverged": ""})
        return state._replace(size=self._tree.size, diverged="")

    def _is_due(self, state: ProofState, last: KeptCheckpoint | None, head: int) -> bool:
        """Whether to sign: the tree has grown since the last checkpoint, has all of the log, and the interval has passed."""
        if state.mark or not state.size:
            return False
        # While a long log is taken in there is nothing to say yet; one that stays ahead is signed now and then.
        if state.size < head and (last is None or 0 <= self._clock() - last.signed_at < BEHIND_SECONDS_MAX * SECOND):
            return False
        # After a clock was set back, the time that it showed before is not waited for.
        return last is None or (state.size > last.size and not 0 <= self._clock() - last.signed_at < self._interval)

    def _sign(self, key: SigningKey, state: ProofState, last: KeptCheckpoint | None) -> KeptCheckpoint | None:
        """Sign the tree in a transaction of its own: a tree that cannot be signed must still grow."""
        fitting = _check_key(key, state)
        root, now = self._tree.root(), self._clock()
        made = KeptCheckpoint(state.epoch, state.size, sign_checkpoint(state.size, root, fitting).encode(), now)
        with self._store.writing() as rows:
            if rows.state() != state:
                return last  # Another prover was here; the next round sees to it.
            if last:
                _check_continues(rows, state, last.note, root, fitting.verifier)
            elif shared := rows.last_checkpoint(state.epoch - 1, state.kept):
                # The first of an epoch: it continues what was signed before the loss.
                keys = EpochKeys(fitting.verifier, state)
                _check_continues(rows, state, shared.note, root, keys.key_of(shared.epoch, shared.note))
            rows.put_checkpoint(made)
            if not state.vkey:
                vkey = fitting.verifier.text
                rows.note({"origin": fitting.name, "vkey": vkey, "since_size": state.size, "since_at": now})
            if last and last.signed_at // HOUR != now // HOUR:
                rows.thin_checkpoints(state.epoch, now)
        return made


def _check_positions(events: list[LogRow], first: int, last: int) -> None:
    """Raise LogDiverged unless there is an event at each position from ``first`` to ``last``."""
    for position, event in enumerate(events, first):
        if event.position != position:
            msg = f"the log has no event at position {position}: the next is at {event.position}; expected no gap"
            raise LogDiverged(msg)
    if len(events) < last - first + 1:
        msg = f"the log has no event at position {first + len(events)}; expected events up to {last}"
        raise LogDiverged(msg)


def _hash(events: list[LogRow]) -> list[bytes]:
    try:
        return hash_events(events)
    except TypeError as error:
        # SQLite would accept a text in a column of bytes.
        msg = f"an event from position {events[0].position} to {events[-1].position} is not stored as bytes: {error}"
        raise LogDiverged(msg) from error


def _check_key(key: SigningKey, state: ProofState) -> SigningKey:
    """Return the key under the name of the log's origin; raises KeyRefused if earlier checkpoints have another."""
    if not state.vkey:
        return key
    named = key.named(state.origin)
    if state.origin not in (key.name, f"{key.name}/{state.epoch}") or named.verifier.text != state.vkey:
        msg = f"the log's key is {key.verifier.text}, and its checkpoints are signed by {state.vkey}; expected the same key"
        raise KeyRefused(msg)
    return named


def _check_continues(rows: TreeRows, state: ProofState, note: bytes, root: bytes, key: VerifierKey) -> None:
    """Verify that the tree continues an earlier checkpoint: a log must never sign two histories."""
    try:
        old = verify_checkpoint(note, key).checkpoint
        hashes = rows.reader(state).prove_consistency(old.size, state.size)
        verify_consistency(old.size, old.root, state.size, root, hashes)
    except ProofRefused as error:
        size = parse_checkpoint(parse_note(note).text).size
        msg = f"the tree does not continue its checkpoint of size {size}, so nothing is signed: {error}"
        raise ProofRefused(msg) from error
