"""What a page is cut by: the columns of its order, and the place behind which it begins.

Rows can be sorted by indexed columns only. One that may be empty counts as -1, as its index has it, so that both databases have
one order for it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Column, Select, and_, func, literal, literal_column, select, tuple_

from projections.queries.selection import order, read_model
from projections.queries.time_points import SelectionError

DESCENDING = "-"
NULL = -1
# No amount is here: an amount that is none must not be taken for one.
NULLABLE = frozenset({"src_duration", "dest_duration"})

Rows = TypeVar("Rows", bound=tuple[Any, ...])


class KeyPage(NamedTuple):
    """A page of ``limit`` rows in the order of some columns, which end with the key, behind the place ``key``, if there is one."""

    names: Sequence[str]
    key: Sequence[object] | None
    limit: int
    descending: bool

    def behind(self, source: Any) -> Any:
        """Return the condition of the rows behind the place, in a table or a subquery with its columns."""
        assert self.key is not None
        columns = [source.c[name] for name in self.names]
        keys = [sort_key(source, name) for name in self.names]
        place = [literal(value, column.type) for value, column in zip(self.key, columns, strict=True)]
        if len(keys) == 1:
            return keys[0] < place[0] if self.descending else keys[0] > place[0]
        here, there = tuple_(*keys), tuple_(*place)
        behind = here < there if self.descending else here > there
        # SQLite compares columns of an index as one, but not what is calculated from them.
        return and_(self.not_before(source), behind) if self.names[0] in NULLABLE else behind

    def not_before(self, source: Any) -> Any:
        """Return a condition that says the same of the first column alone, for an index; None without a place."""
        if self.key is None:
            return None
        first = sort_key(source, self.names[0])
        return first <= self.key[0] if self.descending else first >= self.key[0]

    def first(self, statement: Select[Rows], source: Any) -> Select[Rows]:
        """Return a statement that has the first rows in this order alone."""
        return self.ordered(statement, source).limit(self.limit)

    def ordered(self, statement: Select[Rows], source: Any) -> Select[Rows]:
        """Return a statement in this order."""
        keys = [sort_key(source, name) for name in self.names]
        return statement.order_by(*(each.desc() if self.descending else each for each in keys))

    def key_columns(self, table: Any) -> list[Column[Any]]:
        """Return the columns of the order, and of the table's key."""
        return [table.c[name] for name in dict.fromkeys((*self.names, *(each.name for each in table.primary_key)))]

    def rows(self, table: Any, keys: Select[Any]) -> Select[Any]:
        """Return the whole rows of some keys, in this order."""
        found = keys.subquery()
        same = and_(*(column == found.c[column.name] for column in table.primary_key))
        return self.ordered(select(table).join(found, same), table)


def sort_key(source: Any, name: str) -> Any:
    """Return what a table, or a subquery with its columns, is sorted by for a column's name: as its index has it."""
    column = source.c[name]
    return func.coalesce(column, literal_column(str(NULL))) if name in NULLABLE else column


def place_of(row: Any, names: Sequence[str]) -> list[str | int]:
    """Return the place of a row in the order of some columns."""
    return [NULL if (value := getattr(row, name)) is None else value for name in names]


class WrongSort(SelectionError):
    """An order in which the read model cannot be shown."""


def sort_names(model: str, sort: str, sorts: Sequence[str]) -> list[str]:
    """Return the columns of an order, one of ``sorts``: the given one, and the key, which distinguishes equal rows."""
    name = sort.removeprefix(DESCENDING)
    if name not in sorts:
        msg = f"{model} cannot be sorted by {name!r}: expected one of {', '.join(sorts)}, or one with - before it"
        raise WrongSort(msg)
    return [name, *(column.name for column in order(model) if column.name != name)]


def file_order(model: str, sort: str) -> list[Any]:
    """Return what the rows of a file are sorted by, by default by the order of exports; raises WrongSort."""
    if not sort:
        return [*order(model)]
    declared = read_model(model)
    names = sort_names(model, sort, (*declared.sorts, *declared.file_sorts))
    keys = [sort_key(declared.table, name) for name in names]
    return [each.desc() if sort.startswith(DESCENDING) else each for each in keys]
