"""The Merkle tree as RFC 6962, section 2.1, defines it: recursive, over all leaves, slow and obvious."""

from hashlib import sha256


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def split(count: int) -> int:
    """Return the largest power of two smaller than ``count``."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root(data: list[bytes]) -> bytes:
    """MTH(D[n])."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return leaf_hash(data[0])
    k = split(len(data))
    return sha256(b"\x01" + root(data[:k]) + root(data[k:])).digest()


def path(index: int, data: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.1."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if index < k:
        return [*path(index, data[:k]), root(data[k:])]
    return [*path(index - k, data[k:]), root(data[:k])]


def proof(old: int, data: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), section 2.1.2; the empty tree begins every tree."""
    return subproof(old, data, whole=True) if old else []


def subproof(old: int, data: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if old == len(data):
        return [] if whole else [root(data)]
    k = split(len(data))
    if old <= k:
        return [*subproof(old, data[:k], whole=whole), root(data[k:])]
    return [*subproof(old - k, data[k:], whole=False), root(data[:k])]


def tile(level: int, number: int, data: list[bytes]) -> bytes:
    """Return a tile as tlog-tiles defines it, of those of its 256 subtrees that are complete."""
    span = 256**level
    starts = range(number * 256 * span, (number + 1) * 256 * span, span)
    return b"".join(root(data[start : start + span]) for start in starts if start + span <= len(data))
