"""Calls found by what is known of them: an id or its beginning, a tag, a number, or that they are in progress; and what operators undid."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, literal, select

from domain.calls.call import IN_PROGRESS
from projections.schema.tables import CALLS, CDRS, EXCEPTIONS, OPERATOR_EVENTS

# Greater than every digit of an id.
_AFTER_ANY_DIGIT = "g"


class CallRows(NamedTuple):
    """The rows of a call: of ``calls``, of ``cdrs`` if it has its CDR, and of ``exceptions``."""

    call: Row[Any]
    cdr: Row[Any] | None
    exceptions: Sequence[Row[Any]]


def rows_of_call(connection: Connection, call_id: str) -> CallRows | None:
    """Return the rows of a call, or None where there is no such call."""
    call, cdr = (
        connection.execute(select(table).where(table.c.call_id == call_id)).one_or_none() for table in (CALLS, CDRS)
    )
    # As the database has them: that is the order in which they were raised, with a missing opening last.
    exceptions = connection.execute(select(EXCEPTIONS).where(EXCEPTIONS.c.call_id == call_id)).all()
    return CallRows(call, cdr, exceptions) if call else None


def exceptions_of_call(connection: Connection, call_id: str) -> Sequence[Row[Any]]:
    """Return the exceptions of a call, in the order of the log."""
    statement = select(EXCEPTIONS).where(EXCEPTIONS.c.call_id == call_id)
    return connection.execute(statement.order_by(EXCEPTIONS.c.position, EXCEPTIONS.c.flag)).all()


def is_call(connection: Connection, stream_id: str) -> bool:
    """Whether the id of a stream is that of a call."""
    return connection.execute(select(CALLS.c.call_id).where(CALLS.c.call_id == stream_id)).first() is not None


def calls_with_ids(connection: Connection, ids: Collection[str]) -> Sequence[Row[Any]]:
    """Return those of these ids that are calls, in the order of their ordinals."""
    if not ids:
        return []
    return connection.execute(select(CALLS).where(CALLS.c.call_id.in_([*ids])).order_by(CALLS.c.ordinal)).all()


def calls_beginning_with(connection: Connection, beginning: str, limit: int) -> Sequence[tuple[str, str]]:
    """Return the id and tag of the calls whose ids begin with some hexadecimal digits."""
    fits = (CALLS.c.call_id >= beginning, CALLS.c.call_id < beginning + _AFTER_ANY_DIGIT)
    return [
        (call_id, tag)
        for call_id, tag in connection.execute(select(CALLS.c.call_id, CALLS.c.tag).where(*fits).limit(limit))
    ]


def count_calls_with_tag(connection: Connection, tag: str, limit: int) -> int:
    """Count the calls that have a tag, up to ``limit``."""
    return _count_calls(connection, CALLS.c.tag == tag, limit)


def count_calls_with_number(connection: Connection, number: str, limit: int) -> int:
    """Count the calls of a number, as lines have it, up to ``limit``."""
    return _count_calls(connection, CALLS.c.src == number, limit)


def _count_calls(connection: Connection, condition: ColumnElement[bool], limit: int) -> int:
    some = select(literal(1)).select_from(CALLS).where(condition).limit(limit).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def latest_in_progress(connection: Connection, since: int, limit: int) -> Sequence[str]:
    """Return the ids of the calls in progress that had an event since a time (microseconds, UTC), the latest first."""
    wanted = (CALLS.c.has_cdr == 0, CALLS.c.state == IN_PROGRESS, CALLS.c.last_at >= since)
    statement = select(CALLS.c.call_id).where(*wanted).order_by(CALLS.c.last_at.desc()).limit(limit)
    return connection.execute(statement).scalars().all()


def latest_with_cdr(connection: Connection, limit: int) -> Sequence[str]:
    """Return the ids of the calls whose CDRs were received last, the latest first: by their times, not by when they were imported."""
    statement = select(CDRS.c.call_id).order_by(CDRS.c.cdr_at.desc(), CDRS.c.position.desc(), CDRS.c.call_id.desc())
    return connection.execute(statement.limit(limit)).scalars().all()


def count_cdrs_since(connection: Connection, at: int, limit: int) -> int:
    """Count the CDRs that were received after a time (microseconds, UTC), up to ``limit``."""
    some = select(CDRS.c.position).where(CDRS.c.cdr_at > at).limit(limit).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def undoing_positions(connection: Connection, positions: Sequence[int]) -> dict[int, int]:
    """Return the position of the event that undid each of some operator events; those that count are not in it.

    If an event was undone more than once, its last undoing is returned.
    """
    undone = OPERATOR_EVENTS.c.reverses
    wanted = select(undone, func.max(OPERATOR_EVENTS.c.position)).where(undone.in_(positions)).group_by(undone)
    return {int(of): int(position) for of, position in connection.execute(wanted)}
