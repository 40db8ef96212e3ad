"""The texts that fit a pattern, looked up in an index where that is quick: a page of few tags is cut from the pages of each.

A pattern says nothing about where its rows lie in the order of a page. Without this a page of rare rows would be looked for among
all rows.
"""

from typing import Any

from msgspec import structs
from sqlalchemy import Column, ColumnElement, Connection, Table, and_, func, literal, select

from projections.queries.conditions import NUMBER, number_pattern
from projections.queries.selection import ColumnPattern, Selection, table_of
from projections.queries.text_patterns import LAST, LastCharacters, TextPattern
from projections.schema.rollups import ROLLUPS
from projections.schema.tables import CALLS

VALUES_MAX = 50
LOOKED_AT_MAX = 2_000
# Greater than every character that may follow a beginning.
AFTER_ANY_CHARACTER = "\U0010ffff"


def with_known_values(connection: Connection, model: str, selection: Selection) -> Selection:
    """Return a selection whose patterns know the texts that fit them, where those are few and quickly found."""
    if not selection.fits or model not in ROLLUPS:
        return selection
    known = tuple(structs.replace(each, values=_values(connection, model, each)) for each in selection.fits)
    return structs.replace(selection, fits=known)


def column_of(table: Table, wanted: ColumnPattern) -> Column[Any]:
    """Return the column that a pattern is about."""
    return table.c["src" if wanted.name == NUMBER else wanted.name]


def narrowed(column: Column[Any], wanted: ColumnPattern) -> ColumnElement[bool] | None:
    """Return the condition by which an index finds the texts that fit, or some more; None if it cannot."""
    if wanted.values is not None:
        return column.in_(wanted.values)
    beginning = _as_stored(wanted).beginning
    return and_(column >= beginning, column < beginning + AFTER_ANY_CHARACTER) if beginning else None


def _as_stored(wanted: ColumnPattern) -> TextPattern:
    """Return a pattern as read models of lines have its texts: numbers without separators."""
    return number_pattern(wanted.pattern) if wanted.name == NUMBER else wanted.pattern


def _values(connection: Connection, model: str, wanted: ColumnPattern) -> tuple[str, ...] | None:
    pattern = _as_stored(wanted)
    column = column_of(table_of(model), wanted)
    if pattern.beginning:
        return _beginning(connection, column, pattern)
    if wanted.name != NUMBER:
        return _in_rollup(connection, model, column.name, pattern)
    if len(pattern.ending) >= LAST:
        return _ending(connection, model, pattern)
    return None


def _beginning(connection: Connection, column: Column[Any], pattern: TextPattern) -> tuple[str, ...] | None:
    """Look up one text after another: each costs one look into the index, however many rows have it."""
    behind = pattern.beginning + AFTER_ANY_CHARACTER
    first = select(func.min(column).label("value"), literal(1).label("number"))
    looked = first.where(column >= pattern.beginning, column < behind).cte("looked", recursive=True)
    after = select(func.min(column)).where(column > looked.c.value, column < behind).scalar_subquery()
    following = select(after, looked.c.number + 1).where(looked.c.value.is_not(None), looked.c.number <= LOOKED_AT_MAX)
    looked = looked.union_all(following)
    found = select(looked.c.value, looked.c.number).where(looked.c.value.is_not(None))
    fitting = found.where(pattern.condition(looked.c.value) | (looked.c.number > LOOKED_AT_MAX))
    rows = connection.execute(fitting.limit(VALUES_MAX + 1)).all()
    if len(rows) > VALUES_MAX or any(number > LOOKED_AT_MAX for _, number in rows):
        return None
    return tuple(value for value, _ in rows)


def _in_rollup(connection: Connection, model: str, name: str, pattern: TextPattern) -> tuple[str, ...] | None:
    column = ROLLUPS[model].table.c[name]
    fitting = select(column).where(pattern.condition(column)).distinct().limit(VALUES_MAX + 1)
    return _unless_many(connection.execute(fitting).scalars().all())


def _ending(connection: Connection, model: str, pattern: TextPattern) -> tuple[str, ...] | None:
    """Look up numbers by their last digits, for which calls have an index; None where calls do not have the numbers of CDRs."""
    src = CALLS.c.src
    # Correlated by tag alone, calls have no numbers.
    if model != "calls" and connection.execute(select(src).where(src > "").limit(1)).first() is None:
        return None
    fitting = select(src).where(LastCharacters(src) == pattern.ending[-LAST:], pattern.condition(src))
    return _unless_many(connection.execute(fitting.distinct().limit(VALUES_MAX + 1)).scalars().all())


def _unless_many(found: Any) -> tuple[str, ...] | None:
    return None if len(found) > VALUES_MAX else tuple(found)
