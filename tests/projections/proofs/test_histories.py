"""Whatever is done to a log, its prover signs one history only, and the check names exactly the events that differ from it.

The log here is a list, so that many histories can be played: events come, provers start anew, the end is lost or replaced as
by a restore, events are changed, swapped or dropped in place.
"""

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from domain.events.log_row import LogRow
from domain.log.contract import Log
from domain.proofs.checkpoint import verify_checkpoint
from domain.proofs.merkle import verify_consistency
from domain.proofs.tiles import Tile
from projections.proofs.log_check import LogCheck, check_log
from projections.proofs.proof_store import ProofStore, SQLiteProofStore
from projections.proofs.prover import LogDiverged, Prover
from tests.support.model import merkle as model
from tests.support.notices import SECOND, START
from tests.support.provers import KEY, entry_of

TOPIC = "tringledger:cdr-recorded"


@dataclass
class ListedLog:
    """What a prover needs of a log, kept in a list of rows by position."""

    rows: dict[int, LogRow] = field(default_factory=dict)
    written: int = 0

    def head(self) -> int:
        return max(self.rows, default=0)

    def page(self, after: int, limit: int, until: int) -> list[LogRow]:
        positions = [position for position in range(after + 1, until + 1) if position in self.rows]
        return [self.rows[position] for position in positions[:limit]]

    def write(self, position: int) -> None:
        """Write an event that was never there before."""
        self.written += 1
        self.rows[position] = LogRow(position, f"{self.written:032x}", 1, TOPIC, b"%d" % self.written)

    def record(self, many: int) -> None:
        for position in range(self.head() + 1, self.head() + many + 1):
            self.write(position)


class History:
    """A log, its proofs, and what the model knows: the entries that went into the tree, in their order."""

    def __init__(self, store: ProofStore) -> None:
        self.log = ListedLog()
        self.store = store
        self.now = START
        self.taken: list[bytes] = []
        self.start()

    def start(self) -> None:
        """Begin anew, as another process does."""
        self.prover = Prover(cast("Log", self.log), self.store, KEY, clock=lambda: self.now)

    def run(self) -> None:
        """Run a round; the tree may only grow by what the log has behind an end that is still there."""
        self.now += 60 * SECOND
        size, entries = len(self.taken), self.entries()
        fits = size <= self.log.head() and (not size or entries.get(size) == self.taken[-1])
        whole = fits and set(range(size + 1, self.log.head() + 1)) <= set(self.log.rows)
        try:
            done = self.prover.run_round()
        except LogDiverged:
            assert not whole
        else:
            assert whole
            self.taken += [entries[position] for position in range(size + 1, self.log.head() + 1)]
            assert done.size == len(self.taken)

    def entries(self) -> dict[int, bytes]:
        return {position: entry_of(row) for position, row in self.log.rows.items()}

    def lose_end(self, many: int) -> None:
        for position in range(self.log.head() - many + 1, self.log.head() + 1):
            self.log.rows.pop(position, None)

    def change(self, at: int) -> None:
        if position := at % (self.log.head() + 1):
            self.log.write(position)

    def drop(self, at: int) -> None:
        self.log.rows.pop(at % (self.log.head() + 1), None)

    def swap(self, at: int) -> None:
        first, second = self.log.rows.get(at), self.log.rows.get(at + 1)
        if first and second:
            self.log.rows[at] = second._replace(position=at)
            self.log.rows[at + 1] = first._replace(position=at + 1)

    def check(self) -> LogCheck:
        with self.store.reading() as rows:
            return check_log(cast("Log", self.log), rows)

    def differing(self) -> list[int]:
        """Return the positions whose event is not the one that went into the tree."""
        entries = self.entries()
        return [position for position, entry in enumerate(self.taken, 1) if entries.get(position) != entry]


@contextmanager
def history() -> Iterator[History]:
    with TemporaryDirectory() as directory, closing(SQLiteProofStore(Path(directory) / "proofs.db", "id")) as store:
        store.make()
        yield History(store)


SMALL = st.integers(1, 12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.one_of(SMALL, st.integers(200, 300))),
        st.tuples(st.just("run"), st.just(0)),
        st.tuples(st.sampled_from(["lose_end", "change", "drop", "swap"]), SMALL),
        st.tuples(st.just("start"), st.just(0)),
    ),
    max_size=14,
)


@given(STEPS)
def test_a_prover_signs_one_history_and_the_check_names_what_differs_from_it(steps: list[tuple[str, int]]) -> None:
    with history() as h:
        for what, number in steps:
            if what == "record":
                h.log.record(number)
            elif number:
                getattr(h, what)(number)
            else:
                getattr(h, what)()
        check = h.check()
        assert [finding.position for finding in check.findings] == h.differing()
        assert check.root == model.root(h.taken)
        with h.store.reading() as rows:
            reader = rows.reader(rows.state())
            signed = [verify_checkpoint(kept.note, KEY.verifier).checkpoint for kept in rows.checkpoints(1)]
            for old, new in itertools.pairwise(signed):
                assert old.root == model.root(h.taken[: old.size])
                verify_consistency(old.size, old.root, new.size, new.root, reader.prove_consistency(old.size, new.size))


def test_a_full_tile_of_a_higher_level_that_was_changed_is_found() -> None:
    with history() as h:
        h.log.record(65_536 + 300)
        size = 0
        while size < h.log.head():
            h.now += SECOND
            size = h.prover.run_round().size
        assert h.check().holds
        with h.store.writing() as rows:
            tile = rows.read_tile(1, 1, 0)
            assert len(tile) == 8192
            rows.put_tiles(1, [Tile(1, 0, bytes(32) + tile[32:])])
        (finding,) = h.check().findings
        assert finding.what == "tile 0 of level 1 does not fit the tiles below it (epoch 1)"


def test_a_prover_that_was_overtaken_between_growing_and_signing_leaves_the_signing_to_the_other() -> None:
    with history() as h:
        h.log.record(1)
        other = Prover(cast("Log", h.log), h.store, KEY, clock=lambda: h.now)

        def overtaken() -> int:
            h.log.record(1)
            other.run_round()
            return h.now

        assert Prover(cast("Log", h.log), h.store, KEY, clock=overtaken).run_round().checkpoint is None
        with h.store.reading() as rows:
            assert [kept.size for kept in rows.checkpoints(1)] == [2]
            assert rows.state().since_size == 2
