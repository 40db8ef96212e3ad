"""A product over leaf hashes, by which two sets of them are compared whatever their order.

A rebuild reads the log stream by stream, and the tree has its leaves in the order of the log: to look each one up would take
memory that grows with the log. So the polynomial that is zero at these hashes is evaluated at a point that is chosen when the
log is read already. Two sets of n hashes that differ have one value with a probability of n / 2^256 at most, whoever made them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.events.log_row import LogRow
from domain.proofs.entry import hash_events

# The least prime above every hash.
PRIME = 2**256 + 297
NOTHING = 1
# Of an event that is not stored as bytes, and so has no leaf: no product of leaves becomes it.
NO_PRODUCT = 0


class LeafPoint(NamedTuple):
    """Where a product is made: over the first ``size`` positions of the log, at a ``point`` below PRIME."""

    size: int
    point: int


def multiply_leaves(product: int, point: int, leaves: Iterable[bytes]) -> int:
    """Return a product with these leaf hashes multiplied in."""
    for leaf in map(int.from_bytes, leaves):
        product = product * (point - leaf) % PRIME
    return product


def multiply_events(product: int, at: LeafPoint, events: Sequence[LogRow]) -> int:
    """Return a product with the leaf hashes of those events multiplied in that are among its positions."""
    try:
        return multiply_leaves(product, at.point, hash_events([each for each in events if each.position <= at.size]))
    except TypeError:
        return NO_PRODUCT
