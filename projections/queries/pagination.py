"""A read model page by page, in either direction, as fast at its end as at its beginning.

Pages are cut by key, not by number: the next one begins after the last row of this one, so no row is repeated or missed while
rows are added. Every order ends with the row's key, which makes it total. Rows can be sorted by indexed columns only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from projections.queries import cursors
from projections.queries.conditions import conditions
from projections.queries.entries_page import entries_page
from projections.queries.key_page import DESCENDING, KeyPage, place_of, sort_names
from projections.queries.pattern_pages import pattern_page
from projections.queries.selection import Selection, read_model, table_of
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.tables import ENTRIES

LIMIT = 100
LIMIT_MAX = 1000


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
    names, table = sort_names(model, sort, read_model(model).sorts), table_of(model)
    kinds = [str if column_kind(table.c[name]) is ColumnKind.TEXT else int for name in names]
    place = cursors.decode_cursor(cursor, model, sort, kinds) if cursor else None
    backwards = place is not None and place.backwards
    page = KeyPage(names, None if place is None else place.key, limit + 1, sort.startswith(DESCENDING) != backwards)
    statement = pattern_page(connection, model, selection, timezone, page)
    if statement is None:
        statement = _page(model, conditions(model, selection, timezone), page)
    rows = list(connection.execute(statement))
    more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()

    def at(row: Row[Any], *, backwards: bool) -> str:
        return cursors.encode_cursor(model, sort, place_of(row, names), backwards=backwards)

    has_next, has_previous = (True, more) if backwards else (more, place is not None)
    if not rows:
        return ResultPage(rows, "", "")
    return ResultPage(
        rows,
        at(rows[-1], backwards=False) if has_next else "",
        at(rows[0], backwards=True) if has_previous else "",
    )


def _page(model: str, wanted: Sequence[Any], page: KeyPage) -> Select[Any]:
    """Select the first rows of an order behind a place."""
    table = table_of(model)
    if page.key is not None:
        wanted = [*wanted, page.behind(table)]
    if table is ENTRIES:
        return entries_page(wanted, page.not_before(table), page.limit, descending=page.descending)
    if not _is_carried(model, page.names[0]):
        return page.first(select(table).where(*wanted), table)
    # First the keys, which an index may hold with all that is sorted, then the rows.
    return page.rows(table, page.first(select(*page.key_columns(table)).where(*wanted), table))


def _is_carried(model: str, name: str) -> bool:
    """Whether indexes that are in another order hold a column, to sort by."""
    return any(name in index.carried.split(", ") for index in read_model(model).indexes)
