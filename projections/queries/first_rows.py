"""The first rows of a selection of calls or CDRs in an order that no index has beside the filters, in SQLite.

A sample of the selected rows comes first: it is all of them, or it says where in the order the page ends at the latest. If the sample
promises it, or rows are selected by a pattern that many fit, the page is looked for among the first rows of all. Else all that is
selected is read, from an index, and passed over unless it stands before that place; or, of a disposition that many have, the index of
the order is followed.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select, tuple_

from projections.queries.key_page import NULL, KeyPage, sort_key
from projections.queries.narrowest_filter import Wanted, has_row, narrowed_selection, unindexed
from projections.queries.selection import Selection, table_of
from projections.schema.tables import CDRS, CDRS_ROLLUP

Key = tuple[Any, ...]

# So many of the selected rows are a sample, which takes half a millisecond.
SAMPLED_ROWS = 1000
# So many rows in the order of a page are looked at, if one of the sample stands among the first rows of all.
PROBED_ROWS, FIRST_ROWS = 1000, 10_000
# Following the index of the order takes half as long a row as reading what is selected, but passes over what is not.
FOLLOWED_PART = 4


def first_rows(connection: Connection, model: str, selection: Selection, timezone: str, page: KeyPage) -> Sequence[Any]:
    """Return the first rows of a selection, in the order of a page and behind its place."""
    table = table_of(model)
    names = _names(page, table)
    keys = _first_keys(connection, model, selection, timezone, page)
    positions = [key[names.index("position")] for key in keys]
    rows = connection.execute(select(table).where(table.c.position.in_(positions)))
    found = {tuple(_ordered(getattr(row, name)) for name in names): row for row in rows}
    return [found[key] for key in keys]


def _first_keys(
    connection: Connection, model: str, selection: Selection, timezone: str, page: KeyPage
) -> Sequence[Key]:
    table, chosen = table_of(model), narrowed_selection(connection, model, selection, timezone, Wanted.FIRST_IN_ORDER)
    keys = _select_keys(page, table)
    behind = [] if page.key is None else [_beside(page, table, page.key, behind=True)]
    size = max(SAMPLED_ROWS, page.limit)  # The last row of a page must be in it.
    in_index = (each.desc() if page.descending else each for each in chosen.order)
    some = chosen.keys(keys.where(*behind), table).order_by(*in_index).limit(size)
    sample = sorted(_keys(connection, some), reverse=page.descending)
    if len(sample) < size:
        return sample[: page.limit]
    if selection.fits or _is_among_first(connection, page, table, sample[0]):
        found = _keys(connection, _probed(page, table, chosen.conditions))
        if len(found) == page.limit:
            return found
    if table is CDRS and _is_followed(connection, selection, page):
        same = unindexed(CDRS.c.disposition) == selection.disposition
        return _keys(connection, page.first(_select_keys(page, CDRS).where(same, *_behind(page, CDRS)), CDRS))
    near = _beside(page, table, sample[: page.limit][-1], behind=False)
    first, *others = (sort_key(table, name) for name in page.names)
    # Not by the index of the order, in which the page may be at the end.
    order = [each.desc() if page.descending else each for each in (unindexed(first), *others)]
    return _keys(connection, chosen.keys(keys.where(near, *behind), table).order_by(*order).limit(page.limit))


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


def _beside(page: KeyPage, table: Any, place: Sequence[Any], *, behind: bool) -> ColumnElement[bool]:
    """Return the condition of the rows behind a place, or else of those at it or before it, which may take in a few behind it."""
    first, *others = (sort_key(table, name) for name in page.names)
    first, are_less = unindexed(first), page.descending == behind
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


def _probed(page: KeyPage, table: Any, wanted: list[ColumnElement[bool]]) -> Select[Any]:
    """Select the keys of a page among the first rows of all, which an index of the order has."""
    some = page.ordered(_select_keys(page, table).where(*_behind(page, table)), table).limit(PROBED_ROWS).subquery()
    return page.first(select(*some.c).where(has_row(some, table, wanted)), some)


def _is_followed(connection: Connection, selection: Selection, page: KeyPage) -> bool:
    """Whether the index of the order is to be followed: it has the disposition, and no other filter."""
    given = {name for name, value in structs.asdict(selection).items() if value is not None}
    if given != {"disposition"} or page.names[0] == "position":
        return False
    rows, same = CDRS_ROLLUP.c.rows, CDRS_ROLLUP.c.disposition == selection.disposition
    selected, whole = connection.execute(select(func.sum(case((same, rows), else_=0)), func.sum(rows))).one()
    return int(selected or 0) * FOLLOWED_PART > int(whole or 0)
