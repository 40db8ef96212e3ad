"""Readers of the values in a tariff file: each checks a value and returns it in the form that rating uses.

A reader takes a value as tomllib returns it, and raises ValueError with what was expected.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain import times
from domain.amounts import PLACES
from domain.billing import rounding
from domain.notices.line_number import line_number
from domain.notices.notification import TEXT_LENGTH_MAX

Check = Callable[[Any], Any]

# With these, the most expensive call, 10⁹ seconds on both legs, stays below 10¹² cents, and sums stay in 64 bits.
CENTS_MAX = 999_999
CENTS_PER_MINUTE_MAX = 9_999
CENTS_PER_CREDIT_MAX = 200
MARKUP_MIN, MARKUP_MAX = -100, 10_000
INCREMENT_SECONDS_MAX = 86_400
LEGS = {"src": (0,), "dest": (1,), "both": (0, 1)}
ROUNDING_KEYS = ("mode", "places", "level")

_INCREMENT = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")


def amount_reader(least: int, most: int) -> Check:
    """Return a reader of a number of cents (or percent) as whole millionths."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not _fits(value, least, most):
            msg = f"a number from {least} to {most} with at most {PLACES} digits after the point"
            raise ValueError(msg)
        return int(Decimal(value).scaleb(PLACES))

    return check


def _fits(value: int | Decimal, least: int, most: int) -> bool:
    number = Decimal(value)
    return number.is_finite() and least <= number <= most and number == round(number, PLACES)


def credit_price_reader(timezone: str) -> Check:
    """Return a reader of a SIP credit's price, or of ``{from, price}`` tables, as pairs of time and millionths of a cent."""
    price, since = amount_reader(0, CENTS_PER_CREDIT_MAX), moment_reader(timezone)

    def check(value: Any) -> tuple[tuple[int, int], ...]:
        if not isinstance(value, list):
            return ((0, price(value)),)
        if not value or not all(isinstance(item, dict) and item.keys() == {"from", "price"} for item in value):
            raise ValueError("a price, or a list of { from = DATE, price = CENTS }")
        prices = tuple((since(item["from"]), price(item["price"])) for item in value)
        if any(later[0] <= earlier[0] for earlier, later in pairwise(prices)):
            raise ValueError("each price from a later date than the one before it")
        return prices

    return check


def moment_reader(timezone: str) -> Check:
    """Return a reader of a date (the start of that day in the time zone), or a date-time with offset, as microseconds."""

    def check(value: Any) -> int:
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time.min, times.zone(timezone))
        if not isinstance(value, datetime) or value.tzinfo is None or not 0 <= times.to_micros(value) < times.LAST:
            raise ValueError("a date such as 2026-10-01, or a date-time with its offset, from 1970 to 9998")
        return times.to_micros(value)

    return check


def read_text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not 1 <= len(value) <= TEXT_LENGTH_MAX or "\0" in value:
        msg = f"a text of 1 to {TEXT_LENGTH_MAX} characters"
        raise ValueError(msg)
    return value


def pattern_reader(make: Callable[[str], re.Pattern[str]]) -> Check:
    """Return a reader of a glob or a regular expression as a compiled pattern."""

    def check(value: Any) -> re.Pattern[str]:
        if not isinstance(value, str) or "\0" in value:
            raise ValueError("a text")
        return make(value)

    return check


def number_prefix_reader(line_rule: int) -> Check:
    """Return a reader of the beginning of a number, as lines of this rule have it (SPEC 6, 9.2)."""

    def check(value: Any) -> str:
        found = line_number(read_text(value), line_rule)
        if not found:
            raise ValueError("the beginning of a phone number, such as 1858")
        return found

    return check


def read_increment(value: Any) -> tuple[int, int]:
    """Read ``60/6`` as the initial and the subsequent seconds."""
    found = _INCREMENT.fullmatch(value) if isinstance(value, str) else None
    seconds = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= number <= INCREMENT_SECONDS_MAX for number in seconds):
        msg = f'initial and subsequent seconds such as "60/6", each from 1 to {INCREMENT_SECONDS_MAX}'
        raise ValueError(msg)
    return seconds


def read_legs(value: Any) -> tuple[int, ...]:
    """Read ``src``, ``dest`` or ``both`` as indexes of Charges: 0 is ``src_seconds``, 1 ``dest_seconds``."""
    if not isinstance(value, str) or value not in LEGS:
        raise ValueError('"src", "dest" or "both"')
    return LEGS[value]


def read_boolean(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004  # For the author of a tariff, a wrong type is a wrong value.
    return value


def read_timezone(value: Any) -> str:
    """Read the name of a time zone."""
    try:
        return times.zone(read_text(value)).key
    except ValueError:
        raise ValueError("an IANA time zone such as UTC or Europe/Berlin") from None


def read_rounding_rule(value: Any) -> tuple[str, int, str]:
    """Read ``{mode, places, level}`` as a tuple of the three; the level is ``call`` by default."""
    if not isinstance(value, dict) or not value.keys() <= set(ROUNDING_KEYS):
        raise ValueError('a table such as { mode = "half-up", places = 2, level = "call" }')
    mode, level = value.get("mode"), value.get("level", rounding.CALL)
    if mode not in rounding.MODES:
        msg = f"a mode, one of {', '.join(rounding.MODES)}"
        raise ValueError(msg)
    if level not in {rounding.CALL, rounding.STATEMENT}:
        raise ValueError('the level "call" or "statement"')
    if mode == rounding.NONE:
        if value.keys() != {"mode"}:
            raise ValueError('no places and no level beside mode = "none"')
        return mode, PLACES, level
    places = value.get("places")
    if isinstance(places, bool) or not isinstance(places, int) or not 0 <= places <= PLACES:
        msg = f"places of a cent, from 0 to {PLACES}"
        raise ValueError(msg)
    return mode, places, level


def read_tables(value: Any, heading: str, most: int, named: str) -> list[dict[str, Any]]:
    """Read a list of at least one and at most so many tables, whose keys are read one by one; raises ValueError."""
    if not isinstance(value, list) or not value or not all(isinstance(table, dict) for table in value):
        msg = f"tables headed [[{heading}]]"
        raise ValueError(msg)
    if len(value) > most:
        msg = f"at most {most} {named}"
        raise ValueError(msg)
    return value
