"""Tiles have the paths and widths of C2SP tlog-tiles, and every other path or bundle is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import TileId, decode_bundle, encode_bundle, parse_path, tiles_of, width_in

TILES = st.builds(TileId, st.integers(0, 63), st.integers(0, 10**9), st.integers(1, 256))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileId(0, 0, 256), "tile/0/000"),
        (TileId(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (TileId(1, 999, 256), "tile/1/999"),
        (TileId(1, 1000, 256), "tile/1/x001/000"),
        (TileId(2, 0, 1), "tile/2/000.p/1"),
        (TileId(63, 12, 255), "tile/63/012.p/255"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: TileId, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == (tile, False)


@given(TILES)
def test_a_path_names_one_tile_and_a_tile_has_one_path(tile: TileId) -> None:
    assert parse_path(tile.path) == (tile, False)
    assert parse_path(tile.bundle_path) == (tile._replace(level=0), True)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x000/001",
        "tile/0/001/x234",
        "tile/0/x001/234/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/entries/000\n",
        "tile/0/\u0660\u0660\u0660",
    ],
)
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(ProofRefused, match="is not the path of a tile"):
        parse_path(path)


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile.path for tile in tiles if tile.width < 256] == [
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert len([tile for tile in tiles if tile.width == 256 and tile.level == 0]) == 273
    assert [tile.path for tile in tiles if tile.width == 256 and tile.level == 1] == ["tile/1/000"]


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above() -> None:
    assert [tile.path for tile in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]


def test_a_tree_without_leaves_has_no_tiles() -> None:
    assert list(tiles_of(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 1000))
def test_the_new_tiles_of_a_grown_tree_are_those_that_the_old_one_lacks(old: int, more: int) -> None:
    known = set(tiles_of(old))
    assert list(tiles_of(old + more, old)) == [tile for tile in tiles_of(old + more) if tile not in known]


@given(st.integers(0, 200_000), st.integers(0, 3))
def test_the_widths_of_a_level_add_up_to_its_hashes(size: int, level: int) -> None:
    tiles = [tile for tile in tiles_of(size) if tile.level == level]
    assert sum(tile.width for tile in tiles) == size // 256**level
    assert all(width_in(size, level, tile.number) == tile.width for tile in tiles)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


@pytest.mark.parametrize("bundle", [b"\0", b"\0\5abc", b"\0\1a\0", b"\0\1a\0\1b\0\1c", b"\0\1a"])
def test_a_bundle_that_is_cut_or_of_another_width_is_refused(bundle: bytes) -> None:
    with pytest.raises(ProofRefused, match="does not hold whole entries, or not 2 of them"):
        decode_bundle(bundle, 2)


def test_an_entry_too_long_for_a_bundle_is_refused() -> None:
    with pytest.raises(ProofRefused, match="65536 bytes; expected at most 65535"):
        encode_bundle([bytes(65_536)])
