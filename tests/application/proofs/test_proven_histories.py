"""Random recordings, losses, restores, copies, forks and tampering: nothing is signed or verified that should not be."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application.proofs.copied_ledger import copy_with_proofs
from api.application.proofs.log_forks import adopt_tree, fork_log
from api.application.proofs.proof_files import prove_consistency, prove_event
from domain.copying.copy import Progress
from domain.errors import CommandRejected, LedgerError
from domain.proofs.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from domain.proofs.keys import VerifierKey
from domain.proofs.notes import parse_note
from domain.proofs.offline import Trust, verify_continuation, verify_event
from domain.proofs.proof_file import parse_consistency_file
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import Tile
from projections.proofs.checked_tree import LogUnproven
from projections.proofs.proof_store import path_beside
from projections.proofs.prover import LogDiverged
from tests.support.effort import examples
from tests.support.model import merkle as model
from tests.support.provers import World, model_entries, world


@contextmanager
def _silent(_what: str, _total: int) -> Iterator[object]:
    yield lambda _done: None


SILENT: Progress = _silent  # type: ignore[assignment]


@dataclass
class History:
    """A ledger with its proofs, what its tree was made of, and every checkpoint that left the house: note and entries."""

    w: World
    folder: Path
    taken: list[bytes] = field(default_factory=list)
    outside: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    copies: int = 0
    is_forged: bool = False

    def entries(self) -> list[bytes]:
        return model_entries(self.w.ledger)

    def holds(self) -> bool:
        return self.entries()[: len(self.taken)] == self.taken

    def record(self, many: int) -> None:
        self.w.record(many)

    def prove(self, _: int) -> None:
        """Run the prover: it signs what continues the tree's end, and nothing else."""
        entries, ends = self.entries(), len(self.taken)
        fits = len(entries) >= ends and (not ends or entries[ends - 1] == self.taken[ends - 1])
        try:
            done = self.w.run()
        except LogDiverged:
            assert not fits
            return
        except ProofRefused:
            assert self.is_forged
            return
        assert fits or self.is_forged
        if not fits:
            return
        self.taken += entries[ends:]
        if done.checkpoint and (not self.outside or self.outside[-1][0] != done.checkpoint.note):
            assert parse_checkpoint(parse_note(done.checkpoint.note).text).root == model.root(self.taken)
            self.outside.append((done.checkpoint.note, list(self.taken)))

    def lose(self, many: int) -> None:
        """Restore the log from a backup of some events ago."""
        self.w.tamper("DELETE FROM EVENTS WHERE position > ?", max(self.w.ledger.head() - many, 0))

    def change(self, place: int) -> None:
        self.w.tamper("UPDATE EVENTS SET state = CAST(state || ' ' AS BLOB) WHERE position = ?", self._place(place))

    def retopic(self, place: int) -> None:
        self.w.tamper("UPDATE EVENTS SET topic = 'tringledger:cdr-recorded' WHERE position = ?", self._place(place))

    def forge(self, place: int) -> None:
        """Change an event, and the leaf in its tile as well, so that the two fit each other."""
        at = self._place(place)
        if not self._current() or at > len(self._current()[-1][1]):
            return
        self.is_forged = True
        self.change(at - 1)
        with self.w.store.writing() as rows:
            state = rows.state()
            number, index = divmod(at - 1, 256)
            tile = bytearray(rows.read_tile(state.epoch, 0, number))
            tile[index * 32 : index * 32 + 32] = model.leaf_hash(self.entries()[at - 1])
            rows.put_tiles(state.epoch, [Tile(0, number, bytes(tile))])

    def swap(self, place: int) -> None:
        """Exchange two events that follow each other."""
        at = self._place(place)
        if at < self.w.ledger.head():
            for old, new in ((at, -1), (at + 1, at), (-1, at + 1)):
                self.w.tamper("UPDATE EVENTS SET position = ? WHERE position = ?", new, old)

    def _place(self, place: int) -> int:
        return 1 + place % max(self.w.ledger.head(), 1)

    def fork(self, _: int) -> None:
        """Fork, where only the end was lost; it is refused for anything else."""
        entries = self.entries()
        same = [one == other for one, other in zip(entries, self.taken, strict=False)]
        kept = same.index(False) if False in same else len(same)
        lost_the_end = not any(same[kept:]) and (kept < len(same) or len(entries) < len(self.taken))
        try:
            fork_log(self.w.ledger, "kim", "lost")
        except LedgerError:
            assert not lost_the_end or not self.w.state().size
        else:
            assert lost_the_end
            del self.taken[kept:]

    def copy(self, _: int) -> None:
        """Copy the ledger: refused unless it holds; the copy has the same tree, and signs only once it is adopted."""
        self.copies += 1
        to = f"sqlite:///{self.folder}/copy-{self.copies}.db"
        try:
            copy_with_proofs(self.w.ledger, to, SILENT)
        except LogUnproven:
            assert not self.holds()
            return
        assert self.holds()
        with world(to) as copied:
            before = copied.state()
            assert (before.size, bool(before.mark)) == (len(self.taken), True)
            copied.now = self.w.now
            done = copied.run()
            assert done.checkpoint is None or done.checkpoint.size <= before.size
            if self._current():
                note = self._current()[-1][0]
                adopt_tree(copied.ledger, note)
                assert copied.run().checkpoint

    def _current(self) -> list[tuple[bytes, list[bytes]]]:
        origin = self.w.state().origin
        return [each for each in self.outside if parse_checkpoint(parse_note(each[0]).text).origin == origin]

    def check(self) -> None:
        """The full check finds exactly what differs; proofs hold exactly for what was signed."""
        state = self.w.state()
        anchors = [parse_checkpoint(parse_note(note).text) for note, _ in self._current()]
        found = self.w.check(*anchors)
        assert found.holds == self.holds()
        if not (state.vkey and self._current()):
            return
        trust = Trust(VerifierKey.parse(state.vkey))
        note, signed = self._current()[-1]
        entries = self.entries()
        for position in {1, len(signed) // 2 + 1, len(signed)}:
            if position <= min(len(entries), len(signed)):
                proof, event = prove_event(self.w.ledger, position)
                if self.is_forged:
                    with suppress(ProofRefused):
                        verify_event(proof._replace(extra=None).encode(), trust, event)
                        assert entries[position - 1] == signed[position - 1]
                elif entries[position - 1] == signed[position - 1]:
                    assert verify_event(proof.encode(), trust, event).entry.digest == sha256(event.state).hexdigest()
                else:
                    with pytest.raises(ProofRefused):
                        verify_event(proof._replace(extra=None).encode(), trust, event)
        if self.is_forged:
            return
        oldest = self._current()[0][0]
        hashes, last = prove_consistency(self.w.ledger, oldest)
        verify_continuation(oldest, last, parse_consistency_file(hashes), trust)
        assert verify_checkpoint(note, trust.log).checkpoint.size == len(signed)


def is_one_history(checkpoints: list[tuple[Checkpoint, list[bytes]]]) -> bool:
    """Whether of any two checkpoints of one name the smaller one is the beginning of the larger."""
    by_name: dict[str, list[bytes]] = {}
    for checkpoint, entries in checkpoints:
        before = by_name.setdefault(checkpoint.origin, [])
        if entries[: len(before)] != before:
            return False
        by_name[checkpoint.origin] = entries
    return True


# What happens in one go; most of it is what a house goes through, some of it is what it must not.
EPISODES = (
    (("record", 30), ("prove", 0)),
    (("record", 300), ("prove", 0)),
    (("lose", 20), ("prove", 0), ("fork", 0), ("prove", 0)),
    (("lose", 200), ("record", 30), ("prove", 0), ("fork", 0), ("prove", 0)),
    (("lose", 9), ("record", 300), ("fork", 0), ("record", 5), ("prove", 0)),
    (("copy", 0),),
    (("fork", 0),),
    (("change", 400), ("prove", 0)),
    (("retopic", 400), ("fork", 0)),
    (("change", 400), ("lose", 9), ("fork", 0)),
    (("swap", 400), ("prove", 0)),
    (("forge", 400), ("prove", 0)),
    (("forge", 400), ("copy", 0)),
)
HONEST = 7


def steps_of(seed: int) -> list[tuple[str, int]]:
    """Return steps at random; two histories of three are without tampering, which ends what can be signed."""
    random = Random(seed)
    episodes = EPISODES if seed % 3 == 0 else EPISODES[:HONEST]
    chosen = [random.choice(episodes) for _ in range(random.randint(2, 6))]
    return [(name, random.randint(1, most) if most else 0) for episode in chosen for name, most in episode]


@examples(120)
@given(seed=st.integers(0, 1 << 32))
def test_one_name_signs_one_history_and_nothing_else_passes(seed: int) -> None:
    with TemporaryDirectory() as name, world(f"sqlite:///{name}/ledger.db") as w:
        history = History(w, Path(name))
        history.record(5)
        history.prove(0)
        for step, number in steps_of(seed):
            if history.is_forged and step not in ("prove", "copy"):
                break  # With tiles that were changed nothing can go on, whatever an operator does.
            getattr(history, step)(number)
            history.check()
        signed = [(parse_checkpoint(parse_note(note).text), entries) for note, entries in history.outside]
        assert is_one_history(signed)


def test_a_log_restored_with_its_proofs_is_found_by_any_later_checkpoint(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with world(url) as w:
        w.record(300)
        w.run()
        files = [Path(w.ledger.path), path_beside(Path(w.ledger.path))]
        for file in files:
            _copy(file, file.with_suffix(".kept"))
        w.record(200)
        w.run()
        later = w.checkpoint()
        for file in files:
            _copy(file.with_suffix(".kept"), file)
        w.prover = w.new_prover()
        assert w.check().holds, "nothing inside shows it"
        assert not w.check(later).holds
        with pytest.raises(CommandRejected, match="nothing to fork"):
            fork_log(w.ledger, "kim", "restored")


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
