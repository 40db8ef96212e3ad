"""Maps the columns of a statement to ours: named by the user, or found by their names if there is only one candidate."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from typing import NamedTuple

from api.application.importing.rows import WrongTable
from api.application.importing.strict_csv import header_shown
from domain.amounts import ONE, millionths, plain

TAG, SRC, TIME = "tag", "src", "time"
DURATIONS = ("src_duration", "dest_duration")
CENTS = ("src_charge", "dest_charge", "cost")
CREDITS = ("src_sip_charge", "dest_sip_charge", "sip_credits")
COMPARED = (*DURATIONS, *CENTS[:2], *CREDITS[:2], CENTS[2], CREDITS[2])
NAMES = (TAG, SRC, TIME, *COMPARED)

# The column of a sum is found only if the statement has neither of its parts.
SUMS = {"cost": CENTS[:2], "sip_credits": CREDITS[:2]}
# Possible names of columns; case, spaces and punctuation do not matter.
ALIASES: dict[str, tuple[str, ...]] = {name: (name.replace("_", ""),) for name in NAMES} | {
    TAG: ("tag", "calltag"),
    SRC: ("src", "source", "srcnumber", "number", "phone", "phonenumber"),
    TIME: ("time", "cdrat", "receivedat", "date", "datetime", "timestamp", "calltime", "calldate", "starttime"),
    "dest_duration": ("destduration", "dstduration"),
    "dest_charge": ("destcharge", "dstcharge"),
    "dest_sip_charge": ("destsipcharge", "dstsipcharge"),
}

# As for the charges of notices (SPEC 1).
AMOUNT_MAX = 10**9 * ONE
NUMBERS_KEPT = 16_384  # The texts of a column whose numbers are kept.
_SECONDS = re.compile(r"[0-9]{1,9}")
_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,5}):([0-5][0-9])")
_AMOUNT = re.compile(r"(-?)([0-9]{1,9}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)")
_GROUPED = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?")


class NumberFormat(NamedTuple):
    """How charges are written: with a comma for the decimal point, or not, and in how many of our units each is."""

    comma: bool = False
    scale: Decimal = Decimal(1)


PLAIN_NUMBERS = NumberFormat()


class CarrierColumns(NamedTuple):
    """The number of the column for each name that a statement has; ``compared`` are those of COMPARED, in order."""

    places: dict[str, int]

    @property
    def compared(self) -> tuple[str, ...]:
        """The names of the durations and charges to compare."""
        return tuple(name for name in COMPARED if name in self.places)

    def number_reader(self, form: NumberFormat = PLAIN_NUMBERS) -> Callable[[Sequence[str]], tuple[int, ...]]:
        """Return what reads the compared numbers of a row's cells, in seconds and in millionths, with 0 for missing ones.

        The reader raises ValueError. It is made once for all rows, since most of them have numbers that others have too.
        """
        readers = [
            (self.places[name], lru_cache(NUMBERS_KEPT)(partial(read_number, name, form=form)))
            for name in self.compared
        ]
        return lambda cells: tuple([read(cells[place]) for place, read in readers])


def find_columns(header: list[str], given: Mapping[str, str]) -> CarrierColumns:
    """Find the columns of a statement; ``given`` are those that the user named ("" for none).

    Raises InvalidTable if one is missing, or if there are several candidates.
    """
    places = {name: _place(name, column, header) for name, column in given.items() if column}
    for name in NAMES:
        if name not in given and not any(part in places for part in SUMS.get(name, ())):
            fitting = [place for place, column in enumerate(header) if _plain(column) in ALIASES[name]]
            if len(fitting) > 1:
                those = ", ".join(header[place] for place in fitting)
                msg = f"{name} could be any of {those}: expected --column {name}=COLUMN"
                raise WrongTable(msg)
            if fitting:
                places[name] = fitting[0]
    columns = CarrierColumns(places)
    missing = [name for name in (TAG, TIME) if name not in places]
    if missing or not columns.compared:
        what = missing[0] if missing else f"one of {', '.join(COMPARED)}"
        msg = f"there is no {what}: expected --column NAME=COLUMN for it; the header has {header_shown(header)}"
        raise WrongTable(msg)
    return columns


def _place(name: str, column: str, header: list[str]) -> int:
    if header.count(column) != 1:
        msg = f"{name}={column}: expected one column of that name; the header has {header_shown(header)}"
        raise WrongTable(msg)
    return header.index(column)


def _plain(column: str) -> str:
    return "".join(character for character in column.casefold() if character.isalnum())


def read_number(name: str, text: str, form: NumberFormat = PLAIN_NUMBERS) -> int:
    """Read a duration in seconds, or a charge in millionths of its unit; an empty one is 0. Raises ValueError.

    A duration may be written ``mm:ss`` or ``h:mm:ss``. A charge is rounded half-even to a millionth.
    """
    if not text:
        return 0
    if name in DURATIONS:
        if _SECONDS.fullmatch(text):
            return int(text)
        clock = _CLOCK.fullmatch(text)
        if clock:
            hours, minutes, seconds = (int(part or 0) for part in clock.groups())
            return (hours * 60 + minutes) * 60 + seconds
        expected = "a whole number of seconds, or mm:ss"
    else:
        read = _AMOUNT.fullmatch(_with_point(text) if form.comma else text)
        if read:
            amount = millionths(read[2]) if form.scale == 1 else _scaled(read[2], form.scale)
            if amount < AMOUNT_MAX:
                return -amount if read[1] else amount
        expected = _expected_amount(form)
    msg = f"{name}={text!r}: expected {expected}"
    raise ValueError(msg)


def _expected_amount(form: NumberFormat) -> str:
    comma, mark = (" with a comma", "comma") if form.comma else ("", "point")
    scaled = "" if form.scale == 1 else f" once multiplied by {form.scale}"
    return f"a plain decimal{comma}, below 1000000000{scaled}, with at most 9 digits before and 30 after the {mark}"


def _with_point(text: str) -> str:
    """Return a number with a decimal comma, and perhaps points between thousands, with a decimal point."""
    if _GROUPED.fullmatch(text):
        text = text.replace(".", "")
    return "" if "." in text else text.replace(",", ".", 1)


def _scaled(text: str, scale: Decimal) -> int:
    return int((Fraction(text) * Fraction(scale) * ONE).__round__())


def weight(name: str) -> int:
    """Return the weight of a column's unit: a second counts as much as a cent, and as a SIP credit."""
    return ONE if name in DURATIONS else 1


def format_number(name: str, value: int) -> str:
    """Return a compared number as text."""
    return str(value) if name in DURATIONS else plain(value)
