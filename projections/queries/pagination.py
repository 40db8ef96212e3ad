"""A read model page by page, in either direction, as fast at its end as at its beginning.

Pages are cut by key, not by number: the next one begins after the last row of this one, so no row is repeated or missed while
rows are added. Every order ends with the row's key, which makes it total. Rows can be sorted by indexed columns only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Row, Select, Table, and_, literal, select, tuple_

from projections.queries import cursors
from projections.queries.conditions import conditions
from projections.queries.entries_page import entries_page
from projections.queries.selection import Selection, order, read_model, table_of
from projections.queries.time_points import SelectionError
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.tables import ENTRIES

LIMIT = 100
LIMIT_MAX = 1000
DESCENDING = "-"


class WrongSort(SelectionError):
    """An order in which the read model cannot be shown."""


class ResultPage(NamedTuple):
    """Some rows, and the cursors of the next and the previous page, empty if there are none."""

    rows: Sequence[Row[Any]]
    next: str
    previous: str


def default_sort(model: str) -> str:
    """Return the default order of a read model: the newest first, if it has times."""
    declared = read_model(model)
    return f"{DESCENDING}{declared.sorts[0]}" if declared.time_column else declared.sorts[0]


def fetch_page(  # noqa: PLR0917 - what, and where in it
    connection: Connection,
    model: str,
    selection: Selection,
    timezone: str,
    sort: str = "",
    cursor: str = "",
    limit: int = LIMIT,
) -> ResultPage:
    """Return a page of the rows of a selection, from a cursor on or from the beginning.

    ``sort`` is one of the read model's ``sorts``, with ``-`` before it for descending order. Rows have all columns
    of the read model. Raises SelectionError (WrongSort, WrongCursor).
    """
    sort = sort or default_sort(model)
    columns = _keys(model, sort)
    kinds = [str if column_kind(column) is ColumnKind.TEXT else int for column in columns]
    place = cursors.decode_cursor(cursor, model, sort, kinds) if cursor else None
    backwards = place is not None and place.backwards
    descending = sort.startswith(DESCENDING) != backwards
    wanted = conditions(model, selection, timezone)
    if place:
        wanted = [*wanted, _behind(columns, place.key, descending=descending)]
    if table_of(model) is ENTRIES:
        first = None if place is None else _behind(columns[:1], place.key[:1], descending=descending, inclusive=True)
        statement = entries_page(wanted, first, limit + 1, descending=descending)
    else:
        select_page = _page_by_key if _is_carried(model, columns[0]) else _page_of_rows
        statement = select_page(table_of(model), wanted, columns, limit + 1, descending=descending)
    rows = list(connection.execute(statement))
    more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()

    def at(row: Row[Any], *, backwards: bool) -> str:
        key = [getattr(row, column.name) for column in columns]
        return cursors.encode_cursor(model, sort, key, backwards=backwards)

    has_next, has_previous = (True, more) if backwards else (more, place is not None)
    if not rows:
        return ResultPage(rows, "", "")
    return ResultPage(
        rows,
        at(rows[-1], backwards=False) if has_next else "",
        at(rows[0], backwards=True) if has_previous else "",
    )


def _keys(model: str, sort: str) -> list[Column[Any]]:
    """Return the columns of an order: the given one, and the key, which distinguishes equal rows."""
    name = sort.removeprefix(DESCENDING)
    sorts = read_model(model).sorts
    if name not in sorts:
        msg = f"{model} cannot be sorted by {name!r}: expected one of {', '.join(sorts)}, or one with - before it"
        raise WrongSort(msg)
    first = table_of(model).c[name]
    return [first, *(column for column in order(model) if column is not first)]


def _behind(columns: Sequence[Column[Any]], key: Sequence[object], *, descending: bool, inclusive: bool = False) -> Any:
    if inclusive:
        return columns[0] <= key[0] if descending else columns[0] >= key[0]
    if len(columns) == 1:
        return columns[0] < key[0] if descending else columns[0] > key[0]
    here, there = (
        tuple_(*columns),
        tuple_(*(literal(value, column.type) for value, column in zip(key, columns, strict=True))),
    )
    return here < there if descending else here > there


def _is_carried(model: str, column: Column[Any]) -> bool:
    """Whether indexes that are in another order hold a column, to sort by."""
    return any(column.name in index.carried.split(", ") for index in read_model(model).indexes)


def _page_of_rows(
    table: Table, wanted: Sequence[Any], columns: Sequence[Column[Any]], limit: int, *, descending: bool
) -> Select[Any]:
    """Select the first rows of an order."""
    return _ordered(select(table).where(*wanted), columns, descending=descending).limit(limit)


def _page_by_key(
    table: Table, wanted: Sequence[Any], columns: Sequence[Column[Any]], limit: int, *, descending: bool
) -> Select[Any]:
    """Select the first rows of an order: first their keys, which an index may hold with all that is sorted, then the rows."""
    key = [column.name for column in table.primary_key]
    names = dict.fromkeys((*(column.name for column in columns), *key))
    first = _ordered(select(*(table.c[name] for name in names)).where(*wanted), columns, descending=descending)
    found = first.limit(limit).subquery()
    same = and_(*(table.c[name] == found.c[name] for name in key))
    return _ordered(select(table).join(found, same), columns, descending=descending)


def _ordered(statement: Select[Any], columns: Sequence[Column[Any]], *, descending: bool) -> Select[Any]:
    return statement.order_by(*(column.desc() if descending else column for column in columns))
