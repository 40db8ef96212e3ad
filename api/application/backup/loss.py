"""What was lost between a backup and the latest checkpoint: how many events, and how a log continues after that."""

from api.application.backup.manifest import BackupRefused
from api.application.proofs.log_key import default_origin
from domain.ledger import Ledger
from domain.operators.author import Author
from domain.proofs.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from domain.proofs.keys import NOTE, VerifierKey
from domain.proofs.notes import parse_note
from projections.proofs.epochs import Epoch, begin_epoch
from projections.proofs.proof_store import open_proofs


class EventsMissing(BackupRefused):
    """A backup is older than a checkpoint: events that were signed are not in it."""


def read_checkpoint(ledger: Ledger, note: bytes, key: VerifierKey | None) -> Checkpoint:
    """Verify a checkpoint with the log's key, by default the one that the backup's tree names, and return it.

    Raises BackupRefused where there is no key, ProofRefused where the checkpoint does not hold.
    """
    if key is None:
        kept = open_proofs(ledger.url, ledger.id)
        try:
            with kept.reading() as rows:
                state = rows.state()
        finally:
            kept.close()
        if not state.vkey:
            msg = "nothing was signed in the backup, so no key is known; expected --key VKEY, the log's public key"
            raise BackupRefused(msg)
        key = VerifierKey.parse(state.vkey)
        origin = parse_checkpoint(parse_note(note).text).origin
        if _base_of(origin) == _base_of(key.name):
            key = VerifierKey(origin, NOTE, key.public)  # A later epoch of the same log has the same key.
    return verify_checkpoint(note, key).checkpoint


def missing_since(later: Checkpoint | None, head: int, *, is_accepted: bool) -> int:
    """Return how many events a checkpoint has behind a head; raises EventsMissing unless their loss is accepted."""
    lost = max(later.size - head, 0) if later else 0
    if lost and not is_accepted:
        last = head + lost
        msg = (
            f"{lost} events are missing that were signed: positions {head + 1} to {last}; expected a backup with a head of"
            f" at least {last}. Take a newer backup, or accept the loss with --accept-loss"
        )
        raise EventsMissing(msg)
    return lost


def _base_of(origin: str) -> str:
    """Return the name of a log without the number of its epoch."""
    base, slash, number = origin.rpartition("/")
    return base if slash and number.isdecimal() else origin


def _epoch_of(origin: str) -> int:
    number = origin.rpartition("/")[2]
    return int(number) if number.isdecimal() else 1


def fork_after_loss(ledger: Ledger, lost: Checkpoint, note: bytes, author: Author, key: VerifierKey | None) -> None:
    """Continue a log in a new epoch of its proofs, from its head on: what was signed after it is gone."""
    kept = open_proofs(ledger.url, ledger.id)
    try:
        with kept.reading() as rows:
            state = rows.state()
        public = key.public if key else VerifierKey.parse(state.vkey).public
        number = max(state.epoch, _epoch_of(lost.origin)) + 1
        origin = f"{_base_of(lost.origin) or default_origin(ledger)}/{number}"
        epoch = Epoch(number, origin, VerifierKey(origin, NOTE, public).text, state.size)
        with ledger.operator_session(author.by, author.reason) as session:
            session.fork_log(number, origin, note.decode(), state.size)
        with kept.writing() as rows:
            begin_epoch(rows, epoch)
    finally:
        kept.close()
