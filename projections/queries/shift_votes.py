"""Where runs of suspects can be: each suspect votes for the shifts to its twins; where votes are too few is no run.

Arrays keep this fast: a month can have some hundred thousand suspects, and each of them thousands of twins. Evidence is in
64ths of a bit.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from projections.queries.equal_calls import EqualCalls

VOTES_MAX = 3_000_000
TWINS_LEAST = 10
# No evidence adds up to so much, and this times the number of votes fits into 63 bits.
ENDS = 1 << 34

Numbers: TypeAlias = NDArray[np.int64]


class Scale(NamedTuple):
    """How evidence is weighed: a ``bit`` of it, the ``tax`` on each suspect of a run, and what a ``miss`` in between takes away.

    A run needs ``least`` if its first suspect has one twin, and a bit more each time that number doubles. Of suspects with
    other shifts ``between_max`` may lie between two of it.
    """

    bit: int
    tax: int
    miss: int
    least: int
    between_max: int


class Stretch(NamedTuple):
    """A stretch of suspects, as their orders, that have twins at shifts from ``least`` on and ``below`` another."""

    least: int
    below: int
    orders: list[int]


def find_stretches(calls: EqualCalls, suspects: Sequence[int], evidence: Sequence[int], scale: Scale) -> list[Stretch]:
    """Return where runs can be among suspects that are in order of time, that with the most evidence first.

    Shifts are put into buckets twice as wide as those of a run can differ; each overlaps the next by half, so that no run is
    cut. Of the twins of a suspect only so many vote, the nearest, as make VOTES_MAX votes in all.
    """
    half = 2 * calls.grace + 1
    twins = np.array([calls.twins[place] for place in suspects], np.int64)
    found = np.concatenate([np.zeros(0, np.int64), *_votes(calls, suspects, twins, half)])
    if not found.size:
        return []
    found.sort()
    found = found[np.diff(found, prepend=found[0] - 1) > 0]
    buckets, orders = found // len(suspects), found % len(suspects)
    gaps = np.diff(orders, prepend=orders[0]) - 1
    begins = (np.diff(buckets, prepend=buckets[0] - 1) != 0) | (gaps > scale.between_max)
    gaps[begins] = 0
    gains = np.array(evidence, np.int64)[orders]
    needed = scale.least + (scale.bit * np.log2(twins[orders])).astype(np.int64)
    # A run with nothing in between pays no tax.
    can_be = _add_up(gains - scale.tax, scale.miss * gaps + ENDS * begins, needed)
    can_be |= _add_up(gains, ENDS * (begins | (gaps > 0)), needed)
    kept = np.flatnonzero(can_be)
    parts = np.split(kept, np.flatnonzero(np.diff(np.cumsum(begins)[kept])) + 1) if kept.size else []
    parts.sort(key=lambda part: (-int(gains[part].sum()), int(part[0])))
    leasts = [int(buckets[part[0]]) * half for part in parts]
    return [Stretch(least, least + 2 * half, orders[part].tolist()) for least, part in zip(leasts, parts, strict=True)]


def _votes(calls: EqualCalls, suspects: Sequence[int], twins: Numbers, half: int) -> Iterator[Numbers]:
    """Yield votes as numbers: by bucket, and in each by the order of the suspect."""
    times = np.array([calls.times[place] for place in suspects], np.int64)
    slots = np.array([calls.slots[place] for place in suspects], np.int64)
    equals = np.array(calls.equals, np.int64)
    orders = np.arange(len(suspects))
    for number in range(1, 1 + max(TWINS_LEAST, VOTES_MAX // len(suspects))):
        orders = orders[twins[orders] >= number]
        if not orders.size:
            return
        buckets = (times[orders] - equals[slots[orders] - number]) // half
        yield buckets * len(suspects) + orders
        yield (buckets - 1) * len(suspects) + orders


def _add_up(gains: Numbers, losses: Numbers, needed: Numbers) -> NDArray[np.bool_]:
    """Return which votes are in a piece whose evidence adds up to what is needed; the loss of a vote comes before its gain.

    A piece ends where losses have used up its gains: what follows adds up to more without it.
    """
    sums = np.cumsum(gains - losses)
    before = sums - gains
    lowest = np.minimum.accumulate(before)
    starts = np.flatnonzero(before == lowest)
    peaks = np.maximum.reduceat(sums - lowest, starts)
    enough = peaks >= np.minimum.reduceat(needed, starts)
    return np.repeat(enough, np.diff(starts, append=len(gains)))
