"""The health of calls (SPEC 7): overdue ones, which are stale or miss their CDR, and tags without opening notices."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Connection, Row, and_, bindparam, case, func, select

from domain.calls.call import IN_PROGRESS, MISSING_OPENING
from domain.calls.correlation import CorrelationWindow
from domain.notices.statuses import OUTCOMES
from projections.schema.tables import CALLS

TAG_CALLS_MIN = 10
ROWS_MAX = 100
LATEST_EVENTS = 100_000


class OverdueCounts(NamedTuple):
    """How many calls are in progress, how many of those are stale, and how many lack their CDR."""

    in_progress: int
    stale: int
    missing_cdr: int


def is_stale(reach: CorrelationWindow, now: int) -> ColumnElement[bool]:
    """Select the calls in progress that had no event for over ``max_age`` at a time (microseconds, UTC)."""
    return _is_silent_since(now - reach.max_age)


def is_missing_cdr(reach: CorrelationWindow, now: int) -> ColumnElement[bool]:
    """Select the answered calls that ended over ``grace`` before a time (microseconds, UTC) and have no CDR."""
    return _lacks_its_cdr_since(now - reach.grace)


def _is_silent_since(moment: int | BindParameter[int]) -> ColumnElement[bool]:
    return and_(CALLS.c.has_cdr == 0, CALLS.c.state == IN_PROGRESS, CALLS.c.last_at < moment)


def _lacks_its_cdr_since(moment: int | BindParameter[int]) -> ColumnElement[bool]:
    return and_(lacks_its_cdr(), CALLS.c.last_at < moment)


def lacks_its_cdr() -> ColumnElement[bool]:
    """Select the answered calls that ended and have no CDR, even if it may still arrive."""
    ended = and_(CALLS.c.answered_at.is_not(None), CALLS.c.status.in_(list(OUTCOMES)))
    return and_(CALLS.c.has_cdr == 0, ended)


_SILENT_SINCE, _ENDED_BEFORE = (
    bindparam("silent_since", type_=BigInteger()),
    bindparam("ended_before", type_=BigInteger()),
)
# One scan of the calls without a CDR, by their index. Made once: making it takes longer than a small ledger's answer.
_OVERDUE = (
    select(
        func.count().filter(CALLS.c.state == IN_PROGRESS),
        func.count().filter(_is_silent_since(_SILENT_SINCE)),
        func.count().filter(_lacks_its_cdr_since(_ENDED_BEFORE)),
    )
    .select_from(CALLS)
    .where(CALLS.c.has_cdr == 0)
)


def count_overdue(connection: Connection, reach: CorrelationWindow, now: int) -> OverdueCounts:
    """Count the calls in progress and the overdue calls at a time (microseconds, UTC)."""
    limits = {_SILENT_SINCE.key: now - reach.max_age, _ENDED_BEFORE.key: now - reach.grace}
    row = connection.execute(_OVERDUE, limits).one()
    return OverdueCounts(in_progress=row[0], stale=row[1], missing_cdr=row[2])


def tags_without_openings(connection: Connection, head: int) -> list[tuple[str, int, int]]:
    """Return the tags of which at least half the calls lack their opening, with the numbers of those and of all (SPEC 6).

    Only calls that began in the latest events before the log's head count.
    """
    lacking = func.sum(case((CALLS.c.flags.contains(MISSING_OPENING), 1), else_=0))
    # Not the column itself: SQLite would walk through all calls by its index on tags to find them in groups.
    tag = CALLS.c.tag.concat("")
    query = (
        select(tag, lacking, func.count())
        .where(CALLS.c.position > head - LATEST_EVENTS)
        .group_by(tag)
        .having(func.count() >= TAG_CALLS_MIN, lacking * 2 >= func.count())
        .order_by(tag)
    )
    return [(tag, lack, calls) for tag, lack, calls in connection.execute(query)]


STALE, MISSING_CDR = "stale", "missing-cdr"


def longest_overdue(
    connection: Connection, reach: CorrelationWindow, kind: str, tag: str, now: int
) -> Sequence[Row[Any]]:
    """Return the calls that are stale or miss their CDR at a moment (microseconds, UTC), those silent longest first.

    ``kind`` is STALE or MISSING_CDR; an empty ``tag`` selects all tags. At most ROWS_MAX rows.
    """
    is_overdue = is_stale if kind == STALE else is_missing_cdr
    statement = select(CALLS).where(is_overdue(reach, now)).order_by(CALLS.c.last_at).limit(ROWS_MAX)
    if tag:
        statement = statement.where(CALLS.c.tag == tag)
    return connection.execute(statement).all()
