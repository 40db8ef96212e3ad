"""The first rows of a selection of calls or CDRs in an order that no index has beside the filters, in SQLite.

A sample of the selected rows comes first: it is all of them, or it says where in the order the page ends at the latest. If the sample
promises it, the page is looked for among the first rows of all. Else all that is selected is read, from an index, and passed over
unless it stands before that place; or, of a disposition that many have, the index of the order is followed.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select, tuple_
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from projections.queries.conditions import NUMBER, columns_used, conditions, on_source
from projections.queries.counted_rows import CountedRows
from projections.queries.key_page import NULL, KeyPage, sort_key
from projections.queries.pattern_values import narrowed
from projections.queries.selection import Selection, read_model, table_of
from projections.schema.tables import CDRS, CDRS_ROLLUP

Key = tuple[Any, ...]

# So many of the selected rows are a sample, which takes half a millisecond.
SAMPLED_ROWS = 1000
# So many rows in the order of a page are looked at, if one of the sample stands among the first rows of all.
PROBED_ROWS, FIRST_ROWS = 1000, 10_000
# Following the index of the order takes half as long a row as reading what is selected, but passes over what is not.
FOLLOWED_PART = 4
# The filters that have an index of their own, which carries the disposition.
_NARROWER = ("number", "flag", "tag", "account", "period", "fits")
_PLUS: Any = custom_op("+")


def first_rows(
    connection: Connection, model: str, selection: Selection, timezone: str, page: KeyPage
) -> Sequence[Any] | None:
    """Return the first rows of a selection, in the order of a page and behind its place; None where the page is not made."""
    table = table_of(model)
    names = _names(page, table)
    keys = _first_keys(connection, model, selection, timezone, page)
    if keys is None:
        return None
    positions = [key[names.index("position")] for key in keys]
    rows = connection.execute(select(table).where(table.c.position.in_(positions)))
    found = {tuple(_ordered(getattr(row, name)) for name in names): row for row in rows}
    return [found[key] for key in keys]


def _first_keys(
    connection: Connection, model: str, selection: Selection, timezone: str, page: KeyPage
) -> Sequence[Key] | None:
    table, wanted = table_of(model), _conditions(model, selection, timezone)
    keys = _select_keys(page, table)
    behind = [] if page.key is None else [_beside(page, table, page.key, behind=True)]
    size = max(SAMPLED_ROWS, page.limit)  # The last row of a page must be in it.
    some = keys.where(*behind, *wanted).order_by(*_order_of_index(model, selection, page)).limit(size)
    sample = sorted(_keys(connection, some), reverse=page.descending)
    if len(sample) < size:
        return sample[: page.limit]
    if _is_among_first(connection, page, table, sample[0]):
        found = _keys(connection, _probed(page, table, wanted, PROBED_ROWS))
        if len(found) == page.limit:
            return found
    if table is CDRS and _is_followed(connection, selection, page):
        return _followed_keys(connection, selection, page)
    read = CountedRows(table, _conditions(model, _read_from_index(selection), timezone), func.count())
    if page.read_max is not None and read.has_more(connection, page.read_max):
        return None
    near = _beside(page, table, sample[: page.limit][-1], behind=False)
    first, *others = (sort_key(table, name) for name in page.names)
    # Not by the index of the order, in which the page may be at the end.
    order = [each.desc() if page.descending else each for each in (_unindexed(first), *others)]
    return _keys(connection, keys.where(near, *behind, *wanted).order_by(*order).limit(page.limit))


def _followed_keys(connection: Connection, selection: Selection, page: KeyPage) -> Sequence[Key] | None:
    """Follow the index of the order, which carries the disposition; None if there may be more of the page than in what is read."""
    same = _unindexed(CDRS.c.disposition) == selection.disposition
    if page.read_max is None:
        return _keys(connection, page.first(_select_keys(page, CDRS).where(same, *_behind(page, CDRS)), CDRS))
    found = _keys(connection, _probed(page, CDRS, [same], page.read_max))
    return found if len(found) == page.limit else None


def _names(page: KeyPage, table: Any) -> list[str]:
    return [column.name for column in page.key_columns(table)]


def _select_keys(page: KeyPage, table: Any) -> Select[Any]:
    """Select the keys of rows as the index of the order has them."""
    return select(*(sort_key(table, name).label(name) for name in _names(page, table)))


def _keys(connection: Connection, statement: Select[Any]) -> list[Key]:
    return [tuple(row) for row in connection.execute(statement)]


def _ordered(value: Any) -> Any:
    """Return a part of a key as the order has it: what is missing counts as -1."""
    return NULL if value is None else value


def _conditions(model: str, selection: Selection, timezone: str) -> list[ColumnElement[bool]]:
    """Return the conditions of a selection, so that the index of the filter is used that lets the fewest rows pass."""
    table = table_of(model)
    narrow = [narrowed(table.c["src" if each.name == NUMBER else each.name], each) for each in selection.fits or ()]
    found = [each for each in narrow if each is not None]
    read = _read_from_index(selection)
    same = [] if read is selection else [_unindexed(table.c.disposition) == selection.disposition]
    return [*found, *conditions(model, read, timezone), *same]


def _read_from_index(selection: Selection) -> Selection:
    """Return what an index selects: all but the disposition, where another filter has an index that carries it."""
    if selection.disposition is None or all(getattr(selection, name) is None for name in _NARROWER):
        return selection
    return structs.replace(selection, disposition=None)


def _unindexed(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an expression that SQLite takes no index for."""
    return UnaryExpression(expression, operator=_PLUS, type_=expression.type)


def _order_of_index(model: str, selection: Selection, page: KeyPage) -> list[Any]:
    """Return the order in which an index has the selected rows; none where rows come as they are found."""
    if selection.fits or selection.number is not None:
        return []
    names = ["period"] if model == "cdrs" and selection.account is not None else []
    columns = [table_of(model).c[name] for name in (*names, read_model(model).time_column)]
    return [each.desc() if page.descending else each for each in columns]


def _beside(page: KeyPage, table: Any, place: Sequence[Any], *, behind: bool) -> ColumnElement[bool]:
    """Return the condition of the rows behind a place, or else of those at it or before it, which may take in a few behind it."""
    first, *others = (sort_key(table, name) for name in page.names)
    first, are_less = _unindexed(first), page.descending == behind
    beyond = first < place[0] if are_less else first > place[0]
    # First of all what most rows fail: each comparison is made for every row that is selected.
    within: ColumnElement[bool] = first <= place[0] if are_less else first >= place[0]
    if not others:
        return beyond if behind else within
    if behind:
        here = tuple_(*others)
        there = tuple_(*(literal(value, each.type) for value, each in zip(place[1:], others, strict=False)))
        return or_(beyond, and_(first == place[0], here < there if are_less else here > there))
    second = others[0] <= place[1] if are_less else others[0] >= place[1]
    return and_(within, or_(beyond, second))


def _behind(page: KeyPage, source: Any) -> list[Any]:
    return [] if page.key is None else [page.behind(source)]


def _is_among_first(connection: Connection, page: KeyPage, table: Any, key: Key) -> bool:
    """Whether a key stands among the first rows of all: then enough of the selected ones may."""
    one = page.ordered(_select_keys(page, table).where(*_behind(page, table)), table).offset(FIRST_ROWS).limit(1)
    last = _keys(connection, one)
    return not last or (key > last[0] if page.descending else key < last[0])


def _probed(page: KeyPage, table: Any, wanted: Sequence[ColumnElement[bool]], rows: int) -> Select[Any]:
    """Select the keys of a page among the first rows of all, of which only those columns are read that are needed."""
    names = _names(page, table)
    others = sorted(columns_used(wanted) - {*names})
    keys = _select_keys(page, table).add_columns(*(table.c[name] for name in others))
    some = page.ordered(keys.where(*_behind(page, table)), table).limit(rows).subquery()
    found = select(*(some.c[name] for name in names)).where(*(on_source(each, table, some) for each in wanted))
    return page.first(found, some)


def _is_followed(connection: Connection, selection: Selection, page: KeyPage) -> bool:
    """Whether the index of the order is to be followed: it has the disposition, and no other filter."""
    given = {name for name, value in structs.asdict(selection).items() if value is not None}
    if given != {"disposition"} or page.names[0] == "position":
        return False
    rows, same = CDRS_ROLLUP.c.rows, CDRS_ROLLUP.c.disposition == selection.disposition
    selected, whole = connection.execute(select(func.sum(case((same, rows), else_=0)), func.sum(rows))).one()
    return int(selected or 0) * FOLLOWED_PART > int(whole or 0)
