"""A tree that grows at its end, kept in tiles; its roots, and the proofs that are made from its tiles.

Whatever the store, it gives tiles by level and number. A stored tile may be wider than the asked size needs: an earlier
width is its beginning.
"""

from collections.abc import Callable, Sequence

from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.merkle import hash_perfect, join_peaks
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import HEIGHT, TILE_BYTES, WIDTH, Tile

# Returns all hashes that are kept of a tile; empty where there is none.
ReadTile = Callable[[int, int], bytes]


class GrowingTree:
    """The end of a tree: its size and, of each level, the hashes that fill no tile yet."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self._edges: list[bytearray] = []

    @classmethod
    def load(cls, size: int, read_tile: ReadTile) -> "GrowingTree":
        """Go on from a tree of ``size`` leaves; raises ProofRefused where a tile is missing or too short."""
        tree = cls()
        tree.size = size
        level = 0
        while count := size >> HEIGHT * level:
            number, width = divmod(count, WIDTH)
            tree._edges.append(bytearray(read_hashes(read_tile, level, number, 0, width) if width else b""))
            level += 1
        return tree

    def append(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Add leaf hashes; return the tiles that changed: each full or, as the last of its level, partial."""
        changed: list[Tile] = []
        added: Sequence[bytes] = leaves
        level = 0
        while added:
            if level == len(self._edges):
                self._edges.append(bytearray())
            number = self.size >> HEIGHT * (level + 1)
            added = self._fill(level, number, added, changed)
            level += 1
        self.size += len(leaves)
        return changed

    def _fill(self, level: int, number: int, added: Sequence[bytes], changed: list[Tile]) -> list[bytes]:
        """Add hashes to a level's last tile, ``number``, and to those behind it; return the roots of the full ones."""
        edge = self._edges[level]
        edge += b"".join(added)
        full = len(edge) // TILE_BYTES
        tiles = [bytes(edge[start * TILE_BYTES : (start + 1) * TILE_BYTES]) for start in range(full)]
        del edge[: full * TILE_BYTES]
        changed += [Tile(level, number + place, hashes) for place, hashes in enumerate(tiles)]
        if edge:
            changed.append(Tile(level, number + full, bytes(edge)))
        return [hash_perfect(tile) for tile in tiles]

    def root(self) -> bytes:
        """Return the root of the tree as it is."""
        return TreeReader(self.size, self._read_edge).root(self.size)

    def _read_edge(self, level: int, _number: int) -> bytes:
        return bytes(self._edges[level])


def read_hashes(read_tile: ReadTile, level: int, number: int, start: int, end: int) -> bytes:
    """Return the hashes from ``start`` to before ``end`` of a tile; raises ProofRefused where it does not have them."""
    hashes = read_tile(level, number)
    if len(hashes) < end * HASH_BYTES:
        msg = f"tile {number} of level {level} has {len(hashes) // HASH_BYTES} hashes; expected at least {end}"
        raise ProofRefused(msg)
    return hashes[start * HASH_BYTES : end * HASH_BYTES]


class TreeReader:
    """A tree of a size, read from its tiles; all roots and proofs of it and of every smaller tree.

    What it returns is as good as the tiles. Whoever checks it does not trust them (`merkle.verify_inclusion`).
    """

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        """Read the tree of ``size`` leaves with ``read_tile``."""
        self.size = size
        self._read_tile = read_tile

    def _check(self, size: int, first: int = 0) -> None:
        if not first <= size <= self.size:
            msg = f"the tree has {self.size} leaves; expected a size from {first} to {self.size}, got {size}"
            raise ProofRefused(msg)

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash at an index; raises ProofRefused where the tree has none."""
        self._check(index + 1, 1)
        return self._perfect(0, index)

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` leaves; raises ProofRefused where there are fewer."""
        self._check(size)
        return self._root_of(0, size)

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that the leaf at an index is among the first ``size`` (RFC 6962, 2.1.1)."""
        self._check(size, index + 1)
        start, end = 0, size
        proof: list[bytes] = []
        while end - start > 1:
            middle = start + _left_of(end - start)
            if index < middle:
                proof.append(self._root_of(middle, end))
                end = middle
            else:
                proof.append(self._root_of(start, middle))
                start = middle
        return proof[::-1]

    def prove_consistency(self, old: int, size: int) -> list[bytes]:
        """Return the proof that the first ``size`` leaves begin with the first ``old`` (RFC 6962, 2.1.2)."""
        self._check(size)
        self._check(old)
        if old in (0, size):
            return []
        start, end = 0, size
        proof: list[bytes] = []
        while end != old:
            middle = start + _left_of(end - start)
            if old <= middle:
                proof.append(self._root_of(middle, end))
                end = middle
            else:
                proof.append(self._root_of(start, middle))
                start = middle
        if start:
            proof.append(self._root_of(start, end))
        return proof[::-1]

    def _root_of(self, start: int, end: int) -> bytes:
        """Return the root over a range of leaves that begins where a subtree of its size does."""
        peaks: list[bytes] = []
        for height in range((end - start).bit_length() - 1, -1, -1):
            if (end - start) >> height & 1:
                peaks.append(self._perfect(height, start >> height))
                start += 1 << height
        return join_peaks(peaks)

    def _perfect(self, height: int, number: int) -> bytes:
        """Return the root over the 2^height leaves from number * 2^height on."""
        level, above = divmod(height, HEIGHT)
        tile, start = divmod(number << above, WIDTH)
        return hash_perfect(read_hashes(self._read_tile, level, tile, start, start + (1 << above)))


def _left_of(count: int) -> int:
    """Return how many of ``count`` leaves, two at least, the left subtree has: the largest power of two below."""
    return 1 << (count - 1).bit_length() - 1
