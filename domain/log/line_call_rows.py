"""Calls as rows of the table ``line_calls``, alike on every store: what correlation knows of a call, and its span class."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec

from domain.calls.correlation import CallHead
from domain.notices.call_notice import Charges
from domain.times import SECOND

# Calls are indexed by span class and beginning. A search over a time range reads, for each class, only the calls that
# began within that class's longest span before it, however many calls the line has had.
SPANS = (300 * SECOND, 3600 * SECOND, 26 * 3600 * SECOND)
UNBOUNDED = 1 << 62

HEAD = "ordinal, first_at, last_at, opening, outcomes, cdr, cdr_status, events"

_encode = msgspec.json.encode
_decode_charges = msgspec.json.Decoder(Charges).decode


def head_of(row: Sequence[Any]) -> CallHead:
    """Return the call in a row of the HEAD columns."""
    ordinal, first_at, last_at, opening, outcomes, cdr, cdr_status, events = row
    return CallHead(
        ordinal,
        first_at,
        last_at,
        opening,
        tuple(outcomes.split()),
        None if cdr is None else _decode_charges(cdr),
        cdr_status,
        events,
    )


def row_of(line: str, head: CallHead) -> tuple[Any, ...]:
    """Return a call's row: its line, the HEAD columns, and its span class."""
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
