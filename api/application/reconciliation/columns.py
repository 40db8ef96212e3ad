"""Maps the columns of a statement to ours: named by the user, or found by their names if there is only one candidate."""

import re
from collections.abc import Mapping, Sequence
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

_SECONDS = re.compile(r"[0-9]{1,9}")
_AMOUNT = re.compile(r"(-?)([0-9]{1,9}(?:\.[0-9]{1,6})?)0*")


class CarrierColumns(NamedTuple):
    """The number of the column for each name that a statement has; ``compared`` are those of COMPARED, in order."""

    places: dict[str, int]

    @property
    def compared(self) -> tuple[str, ...]:
        """The names of the durations and charges to compare."""
        return tuple(name for name in COMPARED if name in self.places)

    def numbers(self, cells: Sequence[str]) -> tuple[int, ...]:
        """Return the compared numbers, in seconds and in millionths, with 0 for missing ones; raises ValueError."""
        return tuple(read_number(name, cells[self.places[name]]) for name in self.compared)


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


def read_number(name: str, text: str) -> int:
    """Read a duration in seconds, or a charge in millionths of its unit; an empty one is 0. Raises ValueError."""
    if not text:
        return 0
    if name in DURATIONS:
        if _SECONDS.fullmatch(text):
            return int(text)
        expected = "a whole number of seconds"
    else:
        read = _AMOUNT.fullmatch(text)
        if read:
            return -millionths(read[2]) if read[1] else millionths(read[2])
        expected = "a plain decimal, at most 9 digits before and 6 after the point"
    msg = f"{name}={text!r}: expected {expected}"
    raise ValueError(msg)


def weight(name: str) -> int:
    """Return the weight of a column's unit: a second counts as much as a cent, and as a SIP credit."""
    return ONE if name in DURATIONS else 1


def format_number(name: str, value: int) -> str:
    """Return a compared number as text."""
    return str(value) if name in DURATIONS else plain(value)
