"""A rebuild hashes the events that it folds, and refuses every log that the full check refuses, for the same reason."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import Ledger
from domain.log import urls
from projections.building import proven_folding
from projections.building.certificate import load_certificate
from projections.building.partitions import SEQUENTIAL
from projections.building.process_pool import ProcessFolding
from projections.building.proven_folding import ProvenFolding
from projections.building.rebuild import rebuild
from projections.proofs.checked_tree import LogUnproven, check_against_tree
from projections.proofs.leaf_product import NOTHING, PRIME, multiply_leaves
from projections.stores.generations import generation_of
from tests.support.effort import examples
from tests.support.ledgers import opened
from tests.support.model import merkle as model
from tests.support.provers import World, model_entries, world

EVENTS = 300
BLANK = b" "


@pytest.fixture
def w(store_url: str) -> Iterator[World]:
    """Return a world whose log of 300 events is in the tree, with two checkpoints."""
    with world(store_url) as made:
        for many in (20, EVENTS - 20):
            made.record(many)
            made.run()
        yield made


def change_state(w: World, position: int, added: bytes = BLANK) -> None:
    """Change a state so that it can be read as before."""
    (row,) = w.ledger.store.page(position - 1, 1, position)
    w.tamper(f"UPDATE EVENTS SET state = ? WHERE position = {position}", row.state + added)


def change(statement: str, w: World) -> None:
    stream = "stream" if urls.is_postgres(w.ledger.url) else "originator_id"
    w.tamper(statement.replace("STREAM", stream))


def break_state(w: World) -> None:
    w.tamper("UPDATE EVENTS SET state = ? WHERE position = 7", b"{}")


def swap(w: World) -> None:
    for before, after in ((10, -1), (200, 10), (-1, 200)):
        w.tamper(f"UPDATE EVENTS SET position = {after} WHERE position = {before}")


def replace_end(w: World) -> None:
    change("DELETE FROM EVENTS WHERE position > 297", w)
    w.record(10)


def change_tile(level: int, w: World) -> None:
    with w.store.reading() as rows:
        hashes = rows.read_tile(1, level, 0)
    w.tamper_proofs(f"UPDATE tiles SET hashes = ? WHERE level = {level} AND number = 0", bytes(32) + hashes[32:])


def forge(w: World) -> None:
    """Change an event and its leaf together, all else as signed: what CVE-2026-56865 let pass."""
    change_state(w, 299)
    leaf = model.leaf_hash(model_entries(w.ledger)[298])
    with w.store.reading() as rows:
        hashes = rows.read_tile(1, 0, 1)
    w.tamper_proofs(
        "UPDATE tiles SET hashes = ? WHERE level = 0 AND number = 1", hashes[: 42 * 32] + leaf + hashes[43 * 32 :]
    )


FAULTS: dict[str, Callable[[World], object]] = {
    "a changed state": partial(change_state, position=7),
    "a state that cannot be read": break_state,
    "another topic": partial(change, "UPDATE EVENTS SET topic = 'tringledger:cdr-recorded' WHERE position = 257"),
    "another stream": partial(change, "UPDATE EVENTS SET STREAM = 'ffffffffffffffffffffffffffffffff' WHERE position = 2"),
    "another order": swap,
    "a missing event": partial(change, "DELETE FROM EVENTS WHERE position = 5"),
    "a missing tail": partial(change, "DELETE FROM EVENTS WHERE position > 297"),
    "a replaced tail": replace_end,
    "a changed leaf": partial(change_tile, 0),
    "a changed tile": partial(change_tile, 1),
    "a missing tile": lambda w: w.tamper_proofs("DELETE FROM tiles WHERE level = 0 AND number = 1"),
    "a forged event whose leaf was made to match": forge,
    "a changed checkpoint": lambda w: w.tamper_proofs(
        "UPDATE checkpoints SET note = replace(note, ?, ?) WHERE size = 20", "\n20\n", "\n21\n"
    ),
}  # fmt: skip


def refusal(ledger: Ledger) -> str:
    """Return why the full check refuses a log."""
    with pytest.raises(LogUnproven) as refused:
        check_against_tree(ledger)
    return str(refused.value)


class TestALogThatHolds:
    def test_is_certified_with_its_tree_and_read_once(self, w: World, monkeypatch: pytest.MonkeyPatch) -> None:
        w.record(5)
        monkeypatch.setattr(proven_folding, "check_against_tree", lambda *_, **__: pytest.fail("it was read again"))
        tree = rebuild(w.ledger).certificate.tree
        assert tree
        assert (tree.size, tree.root, tree.holds) == (EVENTS, w.root(EVENTS).hex(), True)

    def test_is_certified_as_by_the_full_check_whoever_folds_it(self, w: World) -> None:
        expected = check_against_tree(w.ledger)
        assert expected
        assert rebuild(w.ledger).certificate.tree == expected
        assert rebuild(w.ledger, folding=ProcessFolding(2)).certificate.tree == expected

    def test_without_a_tree_is_certified_without_one(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            assert rebuild(ledger).certificate.tree is None


class TestALogThatDoesNotHold:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_is_refused_for_the_reason_that_the_full_check_gives(self, w: World, fault: str) -> None:
        FAULTS[fault](w)
        generation = generation_of(w.ledger)
        with pytest.raises(LogUnproven) as refused:
            rebuild(w.ledger)
        assert str(refused.value) == refusal(w.ledger)
        assert generation_of(w.ledger) == generation
        assert load_certificate(w.ledger) is None

    def test_is_refused_whoever_folds_it(self, w: World) -> None:
        change_state(w, 7)
        with pytest.raises(LogUnproven, match="the event at position 7 is not the event in the tree"):
            rebuild(w.ledger, folding=ProcessFolding(2))

    @pytest.mark.parametrize("fault", ["a changed state", "a replaced tail", "a changed leaf"])
    def test_is_certified_as_such_where_that_is_asked_for(self, w: World, fault: str) -> None:
        FAULTS[fault](w)
        tree = rebuild(w.ledger, unproven=True).certificate.tree
        assert tree
        assert tree == check_against_tree(w.ledger, unproven=True)
        assert not tree.holds

    @pytest.mark.only_on("sqlite")
    def test_as_a_state_is_text_is_refused(self, w: World) -> None:
        w.tamper("UPDATE EVENTS SET state = CAST(state AS TEXT) WHERE position = 7")
        with pytest.raises(LogUnproven, match="the event at position 7 is not the event in the tree"):
            rebuild(w.ledger)

    @pytest.mark.only_on("sqlite")
    def test_as_it_has_an_event_before_the_first_is_refused(self, w: World) -> None:
        copied = "SELECT ?, originator_version, topic, state, -4 FROM EVENTS WHERE position = 4"
        columns = "originator_id, originator_version, topic, state, position"
        w.tamper(f"INSERT INTO EVENTS ({columns}) {copied}", "0" * 32)
        with pytest.raises(LogUnproven, match="the events that were read are not those of the proofs"):
            rebuild(w.ledger)
        tree = rebuild(w.ledger, unproven=True).certificate.tree
        assert tree
        assert not tree.holds


def test_another_failure_of_a_log_that_holds_is_told_as_it_is(store_url: str) -> None:
    with world(store_url) as w:
        w.record(3)
        w.run()
        folding = ProvenFolding(w.ledger, SEQUENTIAL, unproven=False)
        with pytest.raises(ZeroDivisionError), folding.checking():
            _ = 1 / 0


LEAVES = st.lists(st.binary(min_size=32, max_size=32) | st.sampled_from([bytes(32), b"\xff" * 32]), max_size=6)


@given(LEAVES, LEAVES, st.randoms())
def test_products_are_equal_where_the_leaves_are_in_whatever_order(
    some: list[bytes], others: list[bytes], random: st.DataObject
) -> None:
    point = PRIME // 3
    shuffled = [*some]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    product = multiply_leaves(NOTHING, point, some)
    assert product == multiply_leaves(multiply_leaves(NOTHING, point, shuffled[:2]), point, shuffled[2:])
    assert (product == multiply_leaves(NOTHING, point, others)) == (sorted(some) == sorted(others))


def test_the_modulus_is_a_prime_above_every_hash() -> None:
    assert PRIME > 2**256 - 1
    odd, halvings = PRIME - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, *range(1000, 1040)):
        powers = [pow(base, odd << halving, PRIME) for halving in range(halvings)]
        assert powers[0] == 1 or PRIME - 1 in powers


POSITIONS = st.integers(1, 40)
TAMPERINGS = st.lists(
    st.one_of(
        st.tuples(st.just("UPDATE stored_events SET topic = 'tringledger:cdr-recorded' WHERE position = ?"), POSITIONS),
        st.tuples(st.just("UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE position = ?"), POSITIONS),
        st.tuples(
            st.just("UPDATE stored_events SET originator_version = originator_version + 1000 WHERE position = ?"),
            POSITIONS,
        ),
        st.tuples(st.just("UPDATE stored_events SET position = position + 100 WHERE position = ?"), POSITIONS),
        st.tuples(st.just("DELETE FROM stored_events WHERE position = ?"), POSITIONS),
        st.tuples(st.just("DELETE FROM stored_events WHERE position > ?"), POSITIONS),
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a ledger of 40 events, of which the tree has 35."""
    folder = tmp_path_factory.mktemp("made")
    with world(f"sqlite:///{folder}/ledger.db") as w:
        w.record(35)
        w.run()
        w.record(5)
    return folder


@examples(60)
@given(steps=TAMPERINGS)
def test_whatever_is_done_to_a_log_a_rebuild_refuses_it_where_the_full_check_does(
    made: Path, steps: list[tuple[str, int]]
) -> None:
    with TemporaryDirectory() as directory:
        folder = Path(shutil.copytree(made, Path(directory) / "ledger"))
        with closing(sqlite3.connect(folder / "ledger.db")) as file, file:
            for statement, position in steps:
                file.execute(statement, (position,))
        with opened(f"sqlite:///{folder}/ledger.db") as ledger:
            tree = check_against_tree(ledger, unproven=True)
            assert tree
            if tree.holds:
                with patch.object(proven_folding, "check_against_tree", partial(pytest.fail, "it was read again")):
                    assert rebuild(ledger).certificate.tree == tree
            else:
                with pytest.raises(LogUnproven) as refused:
                    rebuild(ledger)
                assert str(refused.value) == refusal(ledger)
