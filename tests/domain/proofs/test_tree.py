"""A tree that grows in tiles has the roots, proofs and tiles of RFC 6962's recursive definition, and refuses all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.proofs.merkle import EMPTY_ROOT, verify_consistency, verify_inclusion
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import tiles_of
from domain.proofs.tree import GrowingTree, TreeReader
from tests.support.model import merkle as model

# Around one, two and four full tiles.
SIZES = st.one_of(st.integers(1, 40), st.integers(250, 260), st.integers(505, 520), st.integers(1020, 1030))
LEAVES_MAX = 1200  # Four batches of 300.
DATA = [b"leaf %d" % number for number in range(LEAVES_MAX)]
LEAVES = [model.leaf_hash(data) for data in DATA]
Tiles = dict[tuple[int, int], bytes]


def grow(batches: list[int]) -> tuple[GrowingTree, Tiles]:
    """Return the tree of these batches, one after the other, and its tiles."""
    tree, tiles = GrowingTree(), dict[tuple[int, int], bytes]()
    for count in batches:
        for level, number, hashes in tree.append(LEAVES[tree.size : tree.size + count]):
            tiles[level, number] = hashes
    return tree, tiles


WHOLE = grow([LEAVES_MAX])[1]


def reader(size: int, tiles: Tiles = WHOLE) -> TreeReader:
    return TreeReader(size, lambda level, number: tiles.get((level, number), b""))


@given(st.lists(st.one_of(st.integers(0, 5), st.integers(200, 300)), max_size=4))
def test_a_tree_is_the_same_in_whichever_batches_it_grew(batches: list[int]) -> None:
    tree, tiles = grow(batches)
    assert tree.size == sum(batches)
    data = DATA[: tree.size]
    assert tree.root() == model.root(data)
    assert set(tiles) == {(tile.level, tile.number) for tile in tiles_of(tree.size)}
    assert all(hashes == model.tile(level, number, data) for (level, number), hashes in tiles.items())


@given(SIZES, st.integers(0, 300))
def test_a_tree_loaded_from_its_tiles_grows_on_as_if_it_had_never_stopped(size: int, more: int) -> None:
    loaded = GrowingTree.load(size, lambda level, number: WHOLE.get((level, number), b""))
    more = min(more, LEAVES_MAX - size)
    loaded.append(LEAVES[size : size + more])
    assert (loaded.size, loaded.root()) == (size + more, model.root(DATA[: size + more]))


@given(st.data(), SIZES)
def test_an_inclusion_proof_is_the_recursive_one_and_verifies(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = reader(size).prove_inclusion(index, size)
    assert proof == model.path(index, DATA[:size])
    verify_inclusion(LEAVES[index], index, size, proof, model.root(DATA[:size]))


@given(st.data(), SIZES)
def test_a_consistency_proof_is_the_recursive_one_and_verifies(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(0, size))
    proof = reader(LEAVES_MAX).prove_consistency(old, size)
    assert proof == model.proof(old, DATA[:size])
    verify_consistency(old, model.root(DATA[:old]), size, model.root(DATA[:size]), proof)


@given(st.data(), SIZES)
def test_an_inclusion_proof_with_anything_changed_is_refused(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = reader(size).prove_inclusion(index, size)
    root = model.root(DATA[:size])
    wrong = data.draw(changed(proof))
    with pytest.raises(ProofRefused):
        verify_inclusion(LEAVES[index], index, size, wrong, root)
    with pytest.raises(ProofRefused):
        verify_inclusion(model.leaf_hash(b"another"), index, size, proof, root)
    other = data.draw(st.integers(-1, size + 1).filter(lambda other: other != index))
    with pytest.raises(ProofRefused):
        verify_inclusion(LEAVES[index], other, size, proof, root)


@given(st.data(), SIZES.filter(lambda size: size > 1))
def test_a_consistency_proof_with_anything_changed_is_refused(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size - 1))
    proof = reader(size).prove_consistency(old, size)
    old_root, root = model.root(DATA[:old]), model.root(DATA[:size])
    wrong = data.draw(changed(proof))
    with pytest.raises(ProofRefused):
        verify_consistency(old, old_root, size, root, wrong)
    with pytest.raises(ProofRefused, match="root"):
        verify_consistency(old, model.root(DATA[1 : old + 1]), size, root, proof)
    with pytest.raises(ProofRefused, match="root"):
        verify_consistency(old, old_root, size, model.root(DATA[: size - 1]), proof)


def changed(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Return proofs that differ from one: a hash more, less, or with one bit flipped."""
    ways = [st.integers(0, len(proof)).map(lambda at: [*proof[:at], bytes(32), *proof[at:]])]
    if proof:
        places = st.integers(0, len(proof) - 1)
        ways.append(places.map(lambda at: [*proof[:at], *proof[at + 1 :]]))
        ways.append(st.tuples(places, st.integers(0, 255)).map(lambda pick: flip(proof, *pick)))
    return st.one_of(ways)


def flip(proof: list[bytes], at: int, bit: int) -> list[bytes]:
    number = int.from_bytes(proof[at], "big") ^ 1 << bit
    return [*proof[:at], number.to_bytes(32, "big"), *proof[at + 1 :]]


class TestTheEmptyTree:
    def test_has_the_hash_of_nothing_as_root(self) -> None:
        assert GrowingTree().root() == reader(0).root(0) == EMPTY_ROOT == model.root([])

    def test_begins_every_tree_without_a_proof(self) -> None:
        verify_consistency(0, EMPTY_ROOT, 5, model.root(DATA[:5]), [])
        verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])

    @pytest.mark.parametrize(("old_root", "size", "root"), [(b"x" * 32, 5, b"y" * 32), (EMPTY_ROOT, 0, b"y" * 32)])
    def test_has_no_other_root(self, old_root: bytes, size: int, root: bytes) -> None:
        with pytest.raises(ProofRefused, match="root"):
            verify_consistency(0, old_root, size, root, [])

    def test_holds_no_leaf(self) -> None:
        with pytest.raises(ProofRefused, match="expected an index below its size 0"):
            verify_inclusion(LEAVES[0], 0, 0, [], EMPTY_ROOT)


class TestTwoTreesOfOneSize:
    def test_are_consistent_where_their_roots_are_equal(self) -> None:
        verify_consistency(5, model.root(DATA[:5]), 5, model.root(DATA[:5]), [])

    def test_are_a_fork_where_their_roots_differ(self) -> None:
        with pytest.raises(ProofRefused, match="two roots of one size differ"):
            verify_consistency(5, model.root(DATA[:5]), 5, model.root(DATA[1:6]), [])

    def test_need_no_proof(self) -> None:
        with pytest.raises(ProofRefused, match="has 1 hashes; expected none"):
            verify_consistency(5, model.root(DATA[:5]), 5, model.root(DATA[:5]), [bytes(32)])


def test_a_tree_never_becomes_smaller() -> None:
    with pytest.raises(ProofRefused, match="size 4 cannot continue one of size 5"):
        verify_consistency(5, model.root(DATA[:5]), 4, model.root(DATA[:4]), [])


def test_what_a_tree_does_not_have_is_refused_with_its_size() -> None:
    tree = reader(5)
    for ask in (
        lambda: tree.root(6),
        lambda: tree.prove_inclusion(5, 5),
        lambda: tree.prove_inclusion(0, 6),
        lambda: tree.prove_consistency(5, 6),
        lambda: tree.prove_consistency(6, 5),
        lambda: tree.leaf(5),
    ):
        with pytest.raises(ProofRefused, match="the tree has 5 leaves"):
            ask()


def test_a_missing_or_short_tile_is_named() -> None:
    with pytest.raises(ProofRefused, match="tile 1 of level 0 has 0 hashes; expected at least 44"):
        GrowingTree.load(300, lambda level, number: WHOLE[level, number] if number == 0 else b"")
    with pytest.raises(ProofRefused, match="tile 0 of level 0 has 3 hashes; expected at least 4"):
        TreeReader(4, lambda _level, _number: WHOLE[0, 0][:96]).root(4)


def test_a_leaf_is_read_from_its_tile() -> None:
    assert [reader(LEAVES_MAX).leaf(index) for index in (0, 255, 256, 1199)] == [
        LEAVES[index] for index in (0, 255, 256, 1199)
    ]
