"""Exceptions: the selected ones, and their totals by flag with the money of the CDRs in doubt."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, literal, select, tuple_

from projections.queries.conditions import conditions
from projections.queries.selection import Selection
from projections.schema.tables import EXCEPTIONS

IS_OPEN = EXCEPTIONS.c.resolved_by == ""


class ExceptionTotal(NamedTuple):
    """A flag, the numbers of its exceptions and of its open ones, and the money of the open ones (millionths)."""

    flag: str
    rows: int
    open: int
    cost: int
    sip_credits: int


def totals_by_flag(connection: Connection, wanted: list[ColumnElement[bool]]) -> list[ExceptionTotal]:
    """Return the totals of each flag among the exceptions that meet some conditions, in alphabetical order."""
    flag, cost, sip_credits = EXCEPTIONS.c.flag, EXCEPTIONS.c.cost, EXCEPTIONS.c.sip_credits
    statement = (
        select(
            flag,
            func.count(),
            func.count().filter(IS_OPEN),
            func.coalesce(func.sum(cost).filter(IS_OPEN), 0),
            func.coalesce(func.sum(sip_credits).filter(IS_OPEN), 0),
        )
        .where(*wanted)
        .group_by(flag)
        .order_by(flag)
    )
    return [ExceptionTotal(row[0], *(int(value) for value in row[1:])) for row in connection.execute(statement)]


_OPEN_BY_FLAG = (
    select(EXCEPTIONS.c.flag, func.count()).where(IS_OPEN).group_by(EXCEPTIONS.c.flag).order_by(EXCEPTIONS.c.flag)
)


def count_open_by_flag(connection: Connection) -> dict[str, int]:
    """Return how many open exceptions each flag has that has any, in alphabetical order."""
    return {flag: int(count) for flag, count in connection.execute(_OPEN_BY_FLAG)}


class ExceptionPlace(NamedTuple):
    """An exception's place in the order of the log: its position, and its flag, since an event may raise several."""

    position: int
    flag: str


def find_exception(connection: Connection, flag: str, position: int) -> Row[Any] | None:
    """Return the exception of a flag at a position, or None."""
    here = (EXCEPTIONS.c.flag == flag, EXCEPTIONS.c.position == position)
    return connection.execute(select(EXCEPTIONS).where(*here)).one_or_none()


def exceptions_in_order(
    connection: Connection,
    selection: Selection,
    timezone: str,
    *,
    resolved: bool,
    after: ExceptionPlace,
    until: int,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return the next exceptions of a selection behind a place and up to a position: those that are open, or resolved."""
    here, place = tuple_(EXCEPTIONS.c.position, EXCEPTIONS.c.flag), tuple_(*map(literal, after))
    wanted = _standing(selection, timezone, resolved=resolved, until=until)
    statement = select(EXCEPTIONS).where(*wanted, here > place)
    return connection.execute(statement.order_by(EXCEPTIONS.c.position, EXCEPTIONS.c.flag).limit(limit)).all()


def count_exceptions(connection: Connection, selection: Selection, timezone: str, *, resolved: bool, until: int) -> int:
    """Count the exceptions of a selection up to a position: those that are open, or resolved."""
    wanted = _standing(selection, timezone, resolved=resolved, until=until)
    return connection.execute(select(func.count()).select_from(EXCEPTIONS).where(*wanted)).scalar_one()


def _standing(selection: Selection, timezone: str, *, resolved: bool, until: int) -> list[ColumnElement[bool]]:
    state = EXCEPTIONS.c.resolved_by != "" if resolved else IS_OPEN
    return [*conditions("exceptions", selection, timezone), state, EXCEPTIONS.c.position <= until]


def selected_exceptions(
    connection: Connection, selection: Selection, timezone: str, *, resolved_too: bool
) -> Sequence[Row[Any]]:
    """Return the open exceptions of a selection, in the order of the log; with ``resolved_too``, the resolved ones as well."""
    statement = select(EXCEPTIONS).where(*conditions("exceptions", selection, timezone))
    if not resolved_too:
        statement = statement.where(IS_OPEN)
    return connection.execute(statement.order_by(EXCEPTIONS.c.position, EXCEPTIONS.c.flag)).all()
