"""Tiles: a tree cut into files of up to 256 hashes, and their paths (C2SP tlog-tiles).

A tile of level 0 holds leaf hashes; each hash of a higher level is the root of a full tile below. Beside the tiles lie
bundles with the entries themselves. A full tile never changes, and a partial one is a beginning of it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.refusals import ProofRefused

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
LEVEL_MAX = 63
ENTRY_BYTES_MAX = 0xFFFF
_LENGTH_BYTES = 2
_PATH = re.compile(r"tile/(entries|[1-9]?[0-9])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class TileId(NamedTuple):
    """Which tile: its level, its number within the level, and how many hashes wide it is (1 to 256)."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """The path under which it is published."""
        return _path(str(self.level), self.number, self.width)

    @property
    def bundle_path(self) -> str:
        """The path of the bundle with the entries of a tile of level 0."""
        return _path("entries", self.number, self.width)


class Tile(NamedTuple):
    """A tile's place and its concatenated hashes."""

    level: int
    number: int
    hashes: bytes


def _path(kind: str, number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    place = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{kind}/{place}" + ("" if width == WIDTH else f".p/{width}")


def parse_path(path: str) -> tuple[TileId, bool]:
    """Read the path of a tile or a bundle: its place (a bundle's is that of its tile), and whether it is a bundle.

    Raises ProofRefused for any text that is not the one path of a tile.
    """
    read = _PATH.fullmatch(path)
    if read:
        kind, place, width = read.groups()
        is_bundle = kind == "entries"
        number = int(place.replace("x", "").replace("/", ""))
        tile = TileId(0 if is_bundle else int(kind), number, int(width or WIDTH))
        if tile.level <= LEVEL_MAX and path == (tile.bundle_path if is_bundle else tile.path):
            return tile, is_bundle
    msg = f"{path[:200]!r} is not the path of a tile; expected one like tile/0/x001/234 or tile/entries/067.p/5"
    raise ProofRefused(msg)


def width_in(size: int, level: int, number: int) -> int:
    """Return how wide a tile is in the tree of a size: 0 to 256, 0 where the tree has no such tile."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - number * WIDTH))


def tiles_of(size: int, old: int = 0) -> Iterator[TileId]:
    """Return the tiles of the tree of a size that the tree of ``old`` leaves does not have, level by level."""
    level = 0
    while count := size >> HEIGHT * level:
        for number in range((old >> HEIGHT * level) // WIDTH, -(-count // WIDTH)):
            width = width_in(size, level, number)
            if width > width_in(old, level, number):
                yield TileId(level, number, width)
        level += 1


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return a bundle of entries, each after its length in two bytes, big-endian; raises ProofRefused where one is too long."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            msg = f"an entry has {len(entry)} bytes; expected at most {ENTRY_BYTES_MAX}: {entry[:100]!r}"
            raise ProofRefused(msg)
        parts += (len(entry).to_bytes(_LENGTH_BYTES, "big"), entry)
    return b"".join(parts)


def decode_bundle(bundle: bytes, width: int) -> list[bytes]:
    """Read the entries of a bundle; raises ProofRefused unless it holds exactly ``width`` of them."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(bundle[start - _LENGTH_BYTES : start], "big")
        entries.append(bundle[start:at])
    if at != len(bundle) or len(entries) != width:
        msg = f"a bundle of {len(bundle)} bytes does not hold whole entries, or not {width} of them: got {len(entries)}"
        raise ProofRefused(msg)
    return entries
