"""From a point in time to a position of the log."""

from datetime import date
from typing import NamedTuple

from domain.ledger import Ledger
from projections.queries import time_points as moments
from projections.queries.time_points import SelectionError


class LogPoint(NamedTuple):
    """A position of the log, the time (microseconds, UTC) of it, and whether the log has no later event yet."""

    position: int
    at: int
    is_last: bool = False


def resolve_point(ledger: Ledger, as_of: int | str | date) -> LogPoint:
    """Read the value of ``as_of``: a position, or a day, month or time (SPEC 4).

    A time means the last event recorded until then; one before the first event means position 0, where there is nothing.
    Raises SelectionError for any other value, and for a position that the log does not have yet.
    """
    if isinstance(as_of, str) and as_of.isascii() and as_of.isdigit():
        as_of = int(as_of)
    if not isinstance(as_of, int):
        try:
            at = moments.read_time_point(as_of, ledger.timezone) or 0
        except SelectionError as error:
            msg = f"{error}, or a position of the log"
            raise SelectionError(msg) from None
        position = ledger.position_at(at)
        return LogPoint(position, at, is_last=position >= ledger.head())
    head = ledger.head()
    if not 0 <= as_of <= head:
        msg = f"got position {as_of}; expected one from 0 to {head}, the head of the log, or a time"
        raise SelectionError(msg)
    return LogPoint(as_of, ledger.recorded_at(as_of) if as_of else 0, is_last=as_of == head)
