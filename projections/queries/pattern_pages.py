"""A page of rows of which a column fits a pattern, for which no index has both the rows and their order.

If few rows fit, they are gathered and sorted. If many do and they have few texts, the page is cut from the first rows of each.
If many texts fit, their rows are frequent: the page is cut from all rows in order, and the others are passed over.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import Column, ColumnElement, Connection, Select, func, select, union_all

from projections.queries.conditions import NUMBER, conditions
from projections.queries.key_page import KeyPage
from projections.queries.narrowest_filter import without_index
from projections.queries.pattern_values import column_of, narrowed
from projections.queries.selection import Selection, table_of
from projections.schema.rollups import ROLLUPS

GATHERED_MAX = 5_000


def pattern_page(
    connection: Connection, model: str, selection: Selection, timezone: str, page: KeyPage
) -> Select[Any] | None:
    """Return the statement of a page whose rows fit a pattern, or None where it is cut from all rows in order."""
    if not selection.fits or model not in ROLLUPS:
        return None
    table, is_sqlite = table_of(model), connection.dialect.name == "sqlite"
    for each in sorted(selection.fits, key=lambda each: each.name != NUMBER):
        column = column_of(table, each)
        narrow = narrowed(column, each)
        if narrow is None:
            continue
        some = select(column).where(narrow).limit(GATHERED_MAX + 1).subquery()
        if connection.execute(select(func.count()).select_from(some)).scalar_one() <= GATHERED_MAX:
            wanted = conditions(model, selection, timezone)
            others = [without_index(one, table) for one in wanted] if is_sqlite else wanted
            return _gathered(table, [narrow, *others], page)
        if each.values is not None:
            rest = structs.replace(selection, fits=tuple(other for other in selection.fits if other is not each))
            return _of_each(table, column, each.values, _beside(model, rest, timezone, is_sqlite=is_sqlite), page)
    return None


def _gathered(table: Any, wanted: Sequence[Any], page: KeyPage) -> Select[Any]:
    # With its limit the database sorts what an index by the text has, in place of following the order.
    found = select(*page.key_columns(table)).where(*wanted).limit(GATHERED_MAX).subquery()
    return page.rows(table, page.first(_behind(select(found), found, page), found))


def _of_each(
    table: Any, column: Column[Any], values: Sequence[str], wanted: Sequence[Any], page: KeyPage
) -> Select[Any]:
    keys = select(*page.key_columns(table)).where(*wanted)
    parts = [page.first(_behind(keys, table, page).where(column == value), table).subquery() for value in values]
    found = union_all(*(select(part) for part in parts)).subquery()
    return page.rows(table, page.first(select(found), found))


def _beside(model: str, rest: Selection, timezone: str, *, is_sqlite: bool) -> list[ColumnElement[bool]]:
    """Return the conditions beside the one of a text, whose index has the times: for no others is an index taken."""
    if not is_sqlite:
        return conditions(model, rest, timezone)
    span = Selection(since=rest.since, until=rest.until)
    others = conditions(model, structs.replace(rest, since=None, until=None), timezone)
    return [*conditions(model, span, timezone), *(without_index(one, table_of(model)) for one in others)]


def _behind(statement: Select[Any], source: Any, page: KeyPage) -> Select[Any]:
    return statement if page.key is None else statement.where(page.behind(source))
