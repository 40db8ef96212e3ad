"""A chosen set of a tree's tiles, such as a bundle of proofs carries, verified as a whole against one root.

A tile proves nothing by itself. Here each is compared with the hash that the tile above has of it, up to the tiles at the
tree's right edge, and those with the root: a leaf tile that was changed together with its entry is refused.
"""

from collections.abc import Iterable, Mapping, Sequence

from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.merkle import hash_perfect
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import HEIGHT, WIDTH, TileId, width_in
from domain.proofs.tree import TreeReader


def edge_tiles(size: int) -> set[TileId]:
    """Return the partial tiles of the tree of a size, at most one of each level: the root is made from them."""
    edge: set[TileId] = set()
    level = 0
    while count := size >> HEIGHT * level:
        number, width = divmod(count, WIDTH)
        if width:
            edge.add(TileId(level, number, width))
        level += 1
    return edge


def tiles_for(indexes: Iterable[int], size: int) -> set[TileId]:
    """Return the tiles that prove the leaves at some indexes of the tree of a size: theirs, all above, and the edge."""
    needed = edge_tiles(size)
    level = 0
    numbers = {index // WIDTH for index in indexes}
    while numbers and size >> HEIGHT * level:
        needed |= {TileId(level, number, width_in(size, level, number)) for number in numbers}
        numbers = {number // WIDTH for number in numbers}
        level += 1
    return {tile for tile in needed if tile.width}


class VerifiedTiles:
    """Tiles that all lead up to one root."""

    def __init__(self, tiles: Mapping[TileId, bytes], size: int, root: bytes) -> None:
        """Verify the tiles of a tree; raises ProofRefused, naming the first tile that does not fit."""
        self._size = size
        self._hashes = {(tile.level, tile.number): hashes for tile, hashes in tiles.items()}
        for tile, hashes in tiles.items():
            self._check_width(tile, hashes)
        made = TreeReader(size, self._read).root(size)
        if made != root:
            msg = f"the tiles at the edge of the tree of size {size} make the root {made.hex()}; expected {root.hex()}"
            raise ProofRefused(msg)
        for tile, hashes in tiles.items():
            if tile.width == WIDTH:
                self._check_above(tile, hashes)

    def _check_width(self, tile: TileId, hashes: bytes) -> None:
        width = width_in(self._size, tile.level, tile.number)
        if tile.width != width or len(hashes) != width * HASH_BYTES:
            msg = (
                f"{tile.path} has {len(hashes)} bytes; expected a tile of {width} hashes in a tree of size {self._size}"
            )
            raise ProofRefused(msg)

    def _check_above(self, tile: TileId, hashes: bytes) -> None:
        above, place = divmod(tile.number, WIDTH)
        expected = self._read(tile.level + 1, above)[place * HASH_BYTES : (place + 1) * HASH_BYTES]
        if hash_perfect(hashes) != expected:
            msg = (
                f"{tile.path} does not fit the tile above it: got the root {hash_perfect(hashes).hex()};"
                f" expected {expected.hex() or 'no such tile'}"
            )
            raise ProofRefused(msg)

    def _read(self, level: int, number: int) -> bytes:
        return self._hashes.get((level, number), b"")

    def check_leaves(self, first: int, leaves: Sequence[bytes]) -> None:
        """Check that leaf hashes stand at the indexes from ``first`` on; raises ProofRefused, naming the position."""
        for index, leaf in enumerate(leaves, first):
            number, place = divmod(index, WIDTH)
            expected = self._read(0, number)[place * HASH_BYTES : (place + 1) * HASH_BYTES]
            if leaf != expected:
                msg = (
                    f"the event at position {index + 1} is not the one in the log: got the leaf hash {leaf.hex()};"
                    f" expected {expected.hex() or 'none: its tile is missing'}"
                )
                raise ProofRefused(msg)
