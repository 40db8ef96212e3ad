"""Calendar months as ``YYYY-MM``: the periods for which is billed.

A Month is a text, so that it compares, sorts and prints as its period does. Rows and events hold the plain text
(``str(month)``): drivers and encoders take no other.
"""

import re
from datetime import date, timedelta
from functools import lru_cache

PATTERN = "[0-9]{4}-(0[1-9]|1[0-2])"

_LENGTH = len("2026-10")
_MONTH = re.compile(PATTERN)
_FIRST, _LAST = "0001-01", "9999-11"
_DAY = timedelta(days=1)
_LONGER_THAN_A_MONTH = timedelta(days=31)


def period_of_day(day: str) -> str:
    """Return the month ``YYYY-MM`` of a day ``YYYY-MM-DD``, as a plain text."""
    return day[:_LENGTH]


class Month(str):
    """A calendar month, ``YYYY-MM``; ``parse`` checks a text, the constructor takes one that is known to be right."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read a month; raises ValueError for any other text, and for a month after which the calendar ends."""
        if not _MONTH.fullmatch(text) or not _FIRST <= text <= _LAST:
            msg = f"{text!r} is not a month: expected YYYY-MM, such as 2026-10"
            raise ValueError(msg)
        return cls(text)

    @staticmethod
    @lru_cache(maxsize=4096)
    def of_day(day: str) -> "Month":
        """Return the month of a day ``YYYY-MM-DD``."""
        return Month(day[:_LENGTH])

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date.fromisoformat(f"{self}-01")

    @property
    def last_day(self) -> date:
        """Its last day."""
        return self.next.first_day - _DAY

    @property
    def next(self) -> "Month":
        """The month after it."""
        return Month.of_day((self.first_day + _LONGER_THAN_A_MONTH).isoformat())

    def begins_on(self, day: str) -> bool:
        """Whether a day ``YYYY-MM-DD`` is its first."""
        return day == f"{self}-01"
