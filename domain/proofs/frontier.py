"""The end of a tree that keeps no tiles: its peaks, which are all that later roots need of what came before."""

from collections.abc import Iterable, Sequence

from domain.proofs.merkle import hash_node, join_peaks
from domain.proofs.refusals import ProofRefused


class Frontier:
    """A tree of ``size`` leaves, as its peaks: the roots of its perfect subtrees, of falling height, left to right."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Go on from a size and its peaks; raises ProofRefused where a tree of that size has another number of them."""
        if len(peaks) != size.bit_count():
            msg = f"a tree of {size} leaves has {size.bit_count()} peaks; got {len(peaks)}"
            raise ProofRefused(msg)
        self.size = size
        self._peaks = [*peaks]

    @property
    def peaks(self) -> list[bytes]:
        """The peaks as they are now."""
        return [*self._peaks]

    def append(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes at the end."""
        size, peaks = self.size, self._peaks
        for leaf in leaves:
            root, height = leaf, size
            while height & 1:
                root = hash_node(peaks.pop(), root)
                height >>= 1
            peaks.append(root)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root of the tree as it is."""
        return join_peaks(self._peaks)
