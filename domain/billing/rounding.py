"""Rounding whole numbers to multiples: the second of the two stages in which a call is priced, after its seconds.

All of it is in whole numbers. An amount of a finer unit is rounded once, from its exact value: rounding twice may be a
step off.
"""

from collections.abc import Callable

from domain.amounts import PLACES

NONE = "none"
CALL = "call"
STATEMENT = "statement"


def _half_up(floor: int, rest: int, size: int) -> int:
    return floor + (2 * rest >= size)


def _half_even(floor: int, rest: int, size: int) -> int:
    return floor + (2 * rest > size or (2 * rest == size and floor & 1))


# Each takes the number of whole multiples, the remainder, and the size of one multiple.
_MODES: dict[str, Callable[[int, int, int], int]] = {
    "up": lambda floor, rest, _: floor + (rest > 0),
    "down": lambda floor, _rest, _size: floor,
    "half-up": _half_up,
    "half-even": _half_even,
    NONE: _half_even,
}
MODES = (NONE, "up", "down", "half-up", "half-even")


def round_amount(amount: int, size: int, mode: str) -> int:
    """Return an amount as a rounded number of multiples of ``size``; ``none`` means half-even, at the finest size.

    A negative amount is rounded like its opposite, so that a credit reverses a charge exactly.
    """
    if amount < 0:
        return -round_amount(-amount, size, mode)
    floor, rest = divmod(amount, size)
    return _MODES[mode](floor, rest, size) if rest else floor


def rounding_step(places: int) -> int:
    """Return the value of the last of N decimal places of a cent, in millionths of a cent."""
    return int(10 ** (PLACES - places))


def level_key(mode: str, places: int) -> str:
    """Return the value of ``RatedCdr.level`` for a rounding of the statement's total, such as ``half-up:2``."""
    return f"{mode}:{places}"


def round_total(amount: int, key: str) -> int:
    """Return a statement's total, in millionths of a cent, rounded by a level key; an empty key changes nothing."""
    if not key:
        return amount
    mode, _, places = key.partition(":")
    size = rounding_step(int(places))
    return round_amount(amount, size, mode) * size
