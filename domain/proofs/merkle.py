"""Merkle trees of RFC 6962: hashes of nodes, and the verification of inclusion and consistency proofs (RFC 9162).

Nothing here needs a tree: a verifier has a leaf or an old root, a proof, and a root that it trusts.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.refusals import ProofRefused

EMPTY_ROOT = sha256(b"").digest()
PAIR_BYTES = 2 * HASH_BYTES


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def hash_perfect(hashes: bytes) -> bytes:
    """Return the root over the concatenated hashes of 1, 2, 4, 8... subtrees of equal height."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), PAIR_BYTES)
        hashes = b"".join([sha256(b"\1" + hashes[start : start + PAIR_BYTES]).digest() for start in pairs])
    return hashes


def join_peaks(peaks: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees of falling height, left to right; of no subtrees, that of the empty tree."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hash_node(peak, root)
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Iterable[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at an index of the tree of that size and root (RFC 9162, 2.1.3.2).

    Raises ProofRefused, saying what does not fit.
    """
    if not 0 <= index < size:
        msg = f"the proof is of index {index}, beyond the tree; expected an index below its size {size}"
        raise ProofRefused(msg)
    node, last, hash_ = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            msg = f"the inclusion proof of index {index} in size {size} has more hashes than expected"
            raise ProofRefused(msg)
        if node & 1 or node == last:
            hash_ = hash_node(sibling, hash_)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hash_ = hash_node(hash_, sibling)
        node, last = node >> 1, last >> 1
    if last:
        msg = f"the inclusion proof of index {index} in size {size} has fewer hashes than expected"
        raise ProofRefused(msg)
    if hash_ != root:
        msg = (
            f"the leaf of index {index} is not in the tree of size {size}: its proof leads to the root {hash_.hex()};"
            f" expected {root.hex()}"
        )
        raise ProofRefused(msg)


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``size`` begins with the tree of ``old`` leaves (RFC 9162, 2.1.4.2).

    The empty tree begins every tree, and needs no proof. Raises ProofRefused, saying what does not fit.
    """
    if old > size:
        msg = f"a tree of size {size} cannot continue one of size {old}; expected a size of at least {old}"
        raise ProofRefused(msg)
    if old in (0, size):
        _verify_without_proof(old, old_root, size, root, proof)
        return
    rest = iter(proof)
    first = old_root if old & (old - 1) == 0 else next(rest, None)
    if first is None:
        msg = f"the consistency proof from size {old} to {size} is empty; expected hashes"
        raise ProofRefused(msg)
    made_old, made_new = _follow(old, size, first, rest)
    if made_old != old_root:
        msg = f"the consistency proof leads to the root {made_old.hex()} of size {old}; expected {old_root.hex()}"
        raise ProofRefused(msg)
    if made_new != root:
        msg = f"the consistency proof leads to the root {made_new.hex()} of size {size}; expected {root.hex()}"
        raise ProofRefused(msg)


def _verify_without_proof(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        msg = f"the consistency proof from size {old} to {size} has {len(proof)} hashes; expected none"
        raise ProofRefused(msg)
    expected = EMPTY_ROOT if old == 0 else root
    if old_root != expected:
        msg = f"two roots of one size differ: of size {old} got {old_root.hex()}; expected {expected.hex()}"
        raise ProofRefused(msg)
    if size == 0 and root != EMPTY_ROOT:
        msg = f"the root of size 0 is {root.hex()}; expected {EMPTY_ROOT.hex()}"
        raise ProofRefused(msg)


def _follow(old: int, size: int, first: bytes, rest: Iterable[bytes]) -> tuple[bytes, bytes]:
    """Return the old and the new root to which a proof leads, from the largest subtree that both trees end in."""
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    made_old = made_new = first
    for sibling in rest:
        if last == 0:
            msg = f"the consistency proof from size {old} to {size} has more hashes than expected"
            raise ProofRefused(msg)
        if node & 1 or node == last:
            made_old, made_new = hash_node(sibling, made_old), hash_node(sibling, made_new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            made_new = hash_node(made_new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        msg = f"the consistency proof from size {old} to {size} has fewer hashes than expected"
        raise ProofRefused(msg)
    return made_old, made_new
