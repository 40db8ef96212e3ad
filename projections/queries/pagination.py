"""A read model page by page, in either direction, as fast at its end as at its beginning.

Pages are cut by key, not by number: the next one begins after the last row of this one, so no row is repeated or missed while
rows are added. Every order ends with the row's key, which makes it total. Rows can be sorted by indexed columns only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import Connection, Row, select

from projections.queries import cursors
from projections.queries.conditions import conditions, on_source
from projections.queries.entries_page import entries_page
from projections.queries.first_rows import first_rows
from projections.queries.key_page import DESCENDING, KeyPage, place_of, sort_names
from projections.queries.narrowest_filter import Wanted, narrowed_selection
from projections.queries.pattern_pages import pattern_page
from projections.queries.pattern_values import with_known_values
from projections.queries.selection import Selection, read_model, table_of
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.rollups import ROLLUPS
from projections.schema.tables import CDRS, ENTRIES

LIMIT = 100
LIMIT_MAX = 1000
# So many rows in the order of a page are looked at, which takes two or three milliseconds, before all that are wanted are sorted.
PROBED_ROWS = 1000


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
    descending = sort.startswith(DESCENDING) != backwards
    page = KeyPage(names, None if place is None else place.key, limit + 1, descending)
    selection = with_known_values(connection, model, _without_implied_end(model, selection, page))
    found = _rows(connection, model, selection, timezone, page)
    more, rows = len(found) > limit, list(found[:limit])
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


def _without_implied_end(model: str, selection: Selection, page: KeyPage) -> Selection:
    """Return a selection without the end that its page's place implies: with both, SQLite would begin at that end and not at the place."""
    if page.key is None or page.names[0] != read_model(model).time_column:
        return selection
    at = int(str(page.key[0]))
    if page.descending and selection.until is not None and at < selection.until:
        return structs.replace(selection, until=None)
    if not page.descending and selection.since is not None and at >= selection.since:
        return structs.replace(selection, since=None)
    return selection


def _rows(connection: Connection, model: str, selection: Selection, timezone: str, page: KeyPage) -> Sequence[Row[Any]]:
    """Return the first rows of an order behind a place."""
    statement = pattern_page(connection, model, selection, timezone, page)
    if statement is not None:
        return connection.execute(statement).all()
    table, wanted = table_of(model), conditions(model, selection, timezone)
    if wanted and model in ROLLUPS and connection.dialect.name == "sqlite":
        if page.names[0] != read_model(model).time_column:
            return first_rows(connection, model, selection, timezone, page)
        chosen = narrowed_selection(connection, model, selection, timezone, Wanted.FIRST_IN_TIME)
        behind = [] if page.key is None else [page.behind(table)]
        keys = page.first(chosen.keys(select(*page.key_columns(table)), table).where(*behind), table)
        return connection.execute(page.rows(table, keys)).all()
    if page.key is not None:
        wanted.append(page.behind(table))
    if table is ENTRIES:
        statement = entries_page(wanted, page.not_before(table), page.limit, descending=page.descending)
        return connection.execute(statement).all()
    if table is not CDRS or not _is_carried(model, page.names[0]):
        return connection.execute(page.first(select(table).where(*wanted), table)).all()
    firsts = (
        _among_first(connection, page, wanted)
        or connection.execute(page.first(select(*page.key_columns(CDRS)).where(*wanted), CDRS)).all()
    )
    by_id = select(CDRS).where(CDRS.c.call_id.in_([key.call_id for key in firsts]))
    rows = {row.call_id: row for row in connection.execute(by_id)}
    return [rows[key.call_id] for key in firsts]


def _among_first(connection: Connection, page: KeyPage, wanted: Sequence[Any]) -> Sequence[Row[Any]]:
    """Return the keys of a page if the first rows of all have as many that are wanted: filters that let many pass need no sorting."""
    behind = [] if page.key is None else [page.behind(CDRS)]
    some = page.ordered(select(CDRS).where(*behind), CDRS).limit(PROBED_ROWS).subquery()
    found = select(*page.key_columns(some)).where(*(on_source(each, CDRS, some) for each in wanted))
    firsts = connection.execute(page.first(found, some)).all()
    return firsts if len(firsts) == page.limit else ()


def _is_carried(model: str, name: str) -> bool:
    """Whether indexes that are in another order hold a column, to sort by."""
    return any(name in index.carried.split(", ") for index in read_model(model).indexes)
