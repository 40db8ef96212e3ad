"""The scale of a chart: linear, or logarithmic on demand, so that one large value does not flatten all others."""

import math
from collections.abc import Mapping

from projections.queries.time_points import SelectionError

SCALE = "scale"
LINEAR, LOG = "", "log"
TICKS = 4
_STEPS = (1, 2, 2.5, 5, 10)


def read_scale(query: Mapping[str, str]) -> str:
    """Return the scale that an address names; raises SelectionError."""
    scale = query.get(SCALE) or LINEAR
    if scale not in (LINEAR, LOG):
        msg = f"scale={scale!r}: expected log, or none for a linear one"
        raise SelectionError(msg)
    return scale


def height_on(scale: str, value: float, most: float) -> float:
    """Return how high a value that is not negative stands on a scale that ends with ``most``: from 0 to 1, and 0 for 0."""
    if not most:
        return 0.0
    return math.log10(1 + value) / math.log10(1 + most) if scale == LOG else value / most


def ticks_on(scale: str, most: float) -> list[float]:
    """Return the values at which a scale up to ``most`` has its lines: round ones, or powers of ten; the last is not below it."""
    if most <= 0:
        return [0, 1]
    if scale == LOG:
        return [0, *(10.0**power for power in range(math.ceil(math.log10(max(most, 10))) + 1))]
    power = 10.0 ** math.floor(math.log10(most / TICKS))
    step = next(each * power for each in _STEPS if each * power * TICKS >= most)
    return [number * step for number in range(math.ceil(most / step) + 1)]
