"""How a line's calls are kept in a row each, alike on every store: what correlation knows of them, and the class of their span."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec

from domain.calls.correlation import CallHead
from domain.times import SECOND

# Calls are indexed by the class of their span and by when they began: a search over a stretch of time then looks only
# at calls that began so much earlier as calls of that class can last, however many calls the line has had.
SPANS = (300 * SECOND, 3600 * SECOND, 26 * 3600 * SECOND)
UNBOUNDED = 1 << 62

HEAD = "ordinal, first_at, last_at, opening, outcomes, cdr, cdr_status, events"

_encode = msgspec.json.encode
_decode_numbers = msgspec.json.Decoder(
    tuple[int | None, int | None, int | None, int | None, int | None, int | None]
).decode


def head_of(row: Sequence[Any]) -> CallHead:
    """Return the call that a row's HEAD columns hold."""
    ordinal, first_at, last_at, opening, outcomes, cdr, cdr_status, events = row
    return CallHead(
        ordinal,
        first_at,
        last_at,
        opening,
        tuple(outcomes.split()),
        None if cdr is None else _decode_numbers(cdr),
        cdr_status,
        events,
    )


def row_of(line: str, head: CallHead) -> tuple[Any, ...]:
    """Return the row of a call: its line, the HEAD columns, and the class of its span."""
    return (
        line,
        head.ordinal,
        head.first_at,
        head.last_at,
        head.opening,
        " ".join(head.outcomes),
        None if head.cdr is None else _encode(head.cdr).decode(),
        head.cdr_status,
        head.events,
        bisect_left(SPANS, head.last_at - head.first_at),
    )
