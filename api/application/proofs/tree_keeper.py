"""What keeps a ledger's proof tree: rounds of the prover, and witnesses for each new checkpoint. One at a time does it.

The prover process of a service and `tringledger prove` both run it. Whatever stops it, recording continues.
"""

from collections.abc import Callable
from typing import Protocol

from api.application.process_state import ProcessState, describe_failure
from api.application.proofs.log_key import load_log_key
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.witness_client import WitnessClient
from domain.errors import LedgerError
from domain.ledger import Ledger
from domain.proofs.keys import SigningKey
from domain.proofs.refusals import KeyRefused
from projections.proofs.proof_store import ProofStore, find_proofs, open_proofs
from projections.proofs.prover import Prover, Round
from projections.proofs.tree_rows import KeptCheckpoint, ProofState

PURPOSE = "prove"
POLL_SECONDS = 1.0
RETRY_SECONDS = 2.0


class StopWish(Protocol):
    """Tells whether it should end, as an Event does."""

    def is_set(self) -> bool:
        """Whether it is to end."""

    def wait(self, timeout: float) -> bool:
        """Wait for that, at most some seconds."""


class TreeKeeper:
    """Keeps the tree of one ledger, or stands by while another does."""

    def __init__(self, ledger: Ledger, settings: ProverSettings) -> None:
        """Keep the tree of ``ledger``; nothing is opened yet."""
        self._ledger = ledger
        self._settings = settings
        self._lock = ledger.store.lock(PURPOSE)
        self._client = WitnessClient(settings.witnesses)
        self._store: ProofStore | None = None
        self._prover: Prover | None = None
        self._key_failure = ""
        self._shown: KeptCheckpoint | None = None
        self._size = 0
        self._is_behind = False

    def run_once(self) -> ProcessState:
        """Run a round, or see how far another has come; return how that went."""
        try:
            if not self._lock.acquire():
                return self._watch()
            done = self._opened().run_round()
            self._size, self._is_behind = done.size, done.is_behind
            self._show_to_witnesses(done)
        except LedgerError as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever stops it must be told, and tried again
            return self._failed(describe_failure(error))
        return ProcessState(done.size, self._key_failure)

    def _opened(self) -> Prover:
        if self._store and not self._store.still_exists():
            self._close_store()
        if self._prover is None or self._store is None:
            self._store = open_proofs(self._ledger.url, self._ledger.id)
            seconds = self._settings.checkpoint_seconds
            self._prover = Prover(self._ledger.store, self._store, self._key(), checkpoint_seconds=seconds)
        return self._prover

    def _key(self) -> SigningKey | None:
        """Return the key; one that cannot be used keeps nothing but checkpoints from being made."""
        self._key_failure = ""
        try:
            return load_log_key(self._ledger, self._settings.signing)
        except KeyRefused as error:
            self._key_failure = f"no checkpoint is signed: {error}"
            return None

    def _watch(self) -> ProcessState:
        """See how far another process has come."""
        self._close_store()
        store = find_proofs(self._ledger.url, self._ledger.id)
        state = ProofState(1, 0)
        if store:
            try:
                with store.reading() as rows:
                    state = rows.state()
            finally:
                store.close()
        self._is_behind = False
        return ProcessState(state.size, state.diverged, stands_by=True)

    def _show_to_witnesses(self, done: Round) -> None:
        checkpoint = done.checkpoint
        if not self._settings.witnesses or checkpoint is None or checkpoint == self._shown:
            return
        assert self._store
        with self._store.reading() as rows:
            reader = rows.reader(rows.state())
            cosigned = self._client.cosign(
                checkpoint.note, checkpoint.size, lambda old: reader.prove_consistency(old, checkpoint.size)
            )
        shown = checkpoint._replace(note=cosigned.note.encode())
        with self._store.writing() as rows:
            rows.put_checkpoint(shown)
            rows.note({"witness_failures": cosigned.failure})
        self._shown = shown

    def catch_up(self) -> ProcessState:
        """Run rounds until the tree has all that the log has now, or something stops it."""
        state = self.run_once()
        while self._is_behind and not state.failure:
            state = self.run_once()
        return state

    def _failed(self, failure: str) -> ProcessState:
        self._close_store()
        # Another may have more luck meanwhile: its disk may not be full.
        self._lock.close()
        self._is_behind = False
        return ProcessState(self._size, failure)

    def _close_store(self) -> None:
        if self._store:
            self._store.close()
        self._store = self._prover = None

    def wait(self, state: ProcessState, stopping: StopWish) -> None:
        """Wait until it is worth while to look again, or until told to stop."""
        if state.failure:
            # A key that was refused is read again.
            self._close_store()
            stopping.wait(RETRY_SECONDS)
        elif not self._is_behind:
            stopping.wait(POLL_SECONDS)

    def close(self) -> None:
        """Close the store, and let another keep the tree."""
        self._close_store()
        self._lock.close()


def keep_tree(keeper: TreeKeeper, stopping: StopWish, report: Callable[[ProcessState], object]) -> None:
    """Keep a tree until told to stop, and report each new state."""
    state: ProcessState | None = None
    try:
        while not stopping.is_set():
            before, state = state, keeper.run_once()
            if state != before:
                report(state)
            keeper.wait(state, stopping)
    finally:
        keeper.close()
