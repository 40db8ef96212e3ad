"""Fork a log that lost signed events, and adopt a tree: what an operator decides on after a loss, a copy or a restore."""

from collections.abc import Iterator

from api.application.proofs.log_key import default_origin
from api.application.proofs.proof_files import opened_proofs
from domain import times
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import LogForked
from domain.events.streams import FORKS
from domain.ledger import Ledger
from domain.proofs.checkpoint import Checkpoint, verify_checkpoint
from domain.proofs.keys import VerifierKey
from domain.proofs.refusals import ProofRefused
from projections.proofs.epochs import Epoch, begin_epoch, next_epoch
from projections.proofs.tree_rows import KeptCheckpoint


def fork_log(ledger: Ledger, by: str, reason: str) -> LogForked:
    """Continue a log that lost signed events in a new epoch of its proofs; return what the log keeps of it.

    Raises CommandRejected where the log continues its proofs, or was changed in place, and for a missing author or reason.
    """
    with opened_proofs(ledger) as store:
        with store.reading() as rows:
            state = rows.state()
            epoch = next_epoch(ledger.store, rows)
            last = rows.last_checkpoint(state.epoch)
        checkpoint = last.note.decode() if last else ""
        event = _noted(ledger, epoch, checkpoint, by, reason)
        with store.writing() as rows:
            if rows.state().epoch != state.epoch:
                msg = f"another fork has begun epoch {rows.state().epoch} meanwhile; expected epoch {state.epoch}"
                raise CommandRejected(msg)
            begin_epoch(rows, epoch)
    return event


def _noted(ledger: Ledger, epoch: Epoch, checkpoint: str, by: str, reason: str) -> LogForked:
    """Return the event of a fork, appended to the log unless a fork that was interrupted has done so."""
    origin = epoch.origin or default_origin(ledger)
    for event in _forks(ledger):
        if event.epoch == epoch.number:
            return event
    with ledger.operator_session(by, reason) as session:
        session.fork_log(epoch.number, origin, checkpoint, epoch.kept)
    return _noted(ledger, epoch, checkpoint, by, reason)


def adopt_tree(ledger: Ledger, note: bytes, key: VerifierKey | None = None) -> Checkpoint:
    """Let a tree be signed that is a copy, was restored or was made anew, once it holds a checkpoint from outside.

    ``key`` is the log's, by default the one that the tree names. Raises ProofRefused where the checkpoint is not the log's,
    or the tree does not hold it.
    """
    with opened_proofs(ledger) as store, store.writing() as rows:
        state = rows.state()
        if key is None:
            if not state.vkey:
                raise ProofRefused("nothing was signed here, so no key is known; expected --key VKEY, the log's key")
            key = VerifierKey.parse(state.vkey)
        found = verify_checkpoint(note, key)
        size, root = found.checkpoint.size, found.checkpoint.root
        if size > state.size:
            msg = f"the checkpoint has {size} events, and the tree {state.size}; expected at least as many"
            raise ProofRefused(msg)
        if (made := rows.reader(state).root(size)) != root:
            msg = f"the tree does not hold the checkpoint of size {size}: got the root {made.hex()}; expected {root.hex()}"
            raise ProofRefused(msg)
        epoch = _epoch_of(ledger, key.name) or state.epoch
        # What a tree shares with the epoch before is known where it forked itself.
        kept = state.kept if epoch == state.epoch else 0
        rows.note({"mark": "", "epoch": epoch, "kept": kept, "origin": key.name, "vkey": key.text})
        last = rows.last_checkpoint(epoch, size)
        if last is None or last.size != size:
            rows.put_checkpoint(KeptCheckpoint(epoch, size, note, times.now()))
        if not state.vkey:
            rows.note({"since_size": size, "since_at": times.now()})
    return found.checkpoint


def _epoch_of(ledger: Ledger, origin: str) -> int:
    """Return the epoch that a fork named so in the log, or 0: a tree that was made anew does not know of it."""
    return next((event.epoch for event in _forks(ledger) if event.origin == origin), 0)


def _forks(ledger: Ledger) -> Iterator[LogForked]:
    """Yield the forks that the log notes; other events among them are left alone."""
    for row in ledger.store.stream(FORKS, POSITION_MAX):
        if row.topic == LogForked.TOPIC:
            event = decode_operator_event(row.topic, row.state)
            assert isinstance(event, LogForked)
            yield event
