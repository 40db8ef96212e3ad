"""What a search may mean beyond an exact id, tag or number: beginnings and endings, calls that are gone, reasons and people.

Each question reads an index from its place on.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from projections.queries.conditions import conditions
from projections.queries.selection import Selection
from projections.queries.text_patterns import LAST, LastCharacters
from projections.schema.tables import CALLS, OPERATOR_EVENTS

# Greater than every character that may follow a beginning.
_AFTER_ANY_CHARACTER = "\U0010ffff"
_AFTER_ANY_DIGIT = "g"
_MOVED = "notices-moved"


class MovedCall(NamedTuple):
    """A call that is none any more: all its notices belong to another call."""

    call_id: str
    part_of: str


def tags_beginning_with(connection: Connection, beginning: str, limit: int) -> Iterator[str]:
    """Yield the tags that begin with a text, in code-point order: one look into the index for each."""
    tag, behind = CALLS.c.tag, CALLS.c.tag >= beginning
    for _ in range(limit):
        wanted = select(func.min(tag)).where(behind, tag < beginning + _AFTER_ANY_CHARACTER)
        found: str | None = connection.execute(wanted).scalar_one()
        if found is None:
            return
        yield found
        behind = tag > found


def operators_beginning_with(connection: Connection, beginning: str, limit: int) -> list[str]:
    """Return the operators whose names begin with a text, in code-point order."""
    name = OPERATOR_EVENTS.c.done_by
    wanted = select(name).where(name >= beginning, name < beginning + _AFTER_ANY_CHARACTER)
    return list(connection.execute(wanted.group_by(name).order_by(name).limit(limit)).scalars())


def numbers_ending_with(connection: Connection, digits: str, limit: int) -> list[str]:
    """Return the numbers of calls that end with some digits, at least four, in code-point order."""
    src = CALLS.c.src
    ending = LastCharacters(src) == digits[-LAST:]
    wanted = select(src).where(ending, src.like(f"%{digits}")).group_by(src).order_by(src).limit(limit)
    return list(connection.execute(wanted).scalars())


def moved_calls_beginning_with(connection: Connection, beginning: str, limit: int) -> list[MovedCall]:
    """Return the calls whose ids begin with some hexadecimal digits and that became part of others by a merge."""
    events = OPERATOR_EVENTS.c
    wanted = (
        select(events.call_id, events.about)
        .where(events.call_id >= beginning, events.call_id < beginning + _AFTER_ANY_DIGIT, events.kind == _MOVED)
        .where(~select(CALLS.c.call_id).where(CALLS.c.call_id == events.call_id).exists())
        .order_by(events.call_id, events.position)
    )
    # The last move of a call says where its notices are; its text ends with the other call's id.
    latest = {call_id: about.rpartition(" ")[2] for call_id, about in connection.execute(wanted)}
    return [MovedCall(*each) for each in list(latest.items())[:limit]]


def count_operator_events(connection: Connection, *, who: str | None = None, why: str | None = None) -> int:
    """Count what an operator did, or what was done for reasons that contain a text."""
    wanted = conditions("operator-events", Selection(who=who, why=why), "UTC")
    return connection.execute(select(func.count()).select_from(OPERATOR_EVENTS).where(*wanted)).scalar_one()
