"""The calls that wait in vain: in progress and silent for too long, or ended without their CDR; those that wait longest first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from api.application.read_model_pool import Shelf
from domain.calls.correlation import Reach
from projections.queries import call_health as calls
from projections.queries.selection import STALE
from projections.schema.tables import CALLS

ROWS_MAX = 100


def waiting_longest(shelf: Shelf, reach: Reach, kind: str, tag: str, now: int) -> Sequence[Row[Any]]:
    """Return the calls, of one tag if that is given, that are stale or miss their CDR at a moment (microseconds, UTC)."""
    waits = calls.is_stale if kind == STALE else calls.is_missing_cdr
    statement = select(CALLS).where(waits(reach, now)).order_by(CALLS.c.last_at).limit(ROWS_MAX)
    if tag:
        statement = statement.where(CALLS.c.tag == tag)
    with shelf.reading() as room:
        return room.connection.execute(statement).all()
