"""A read model a page at a time, in either direction, as fast at its end as at its beginning.

Pages are cut by key, not by number: the next one begins behind the last row that was shown, so that nothing comes twice
or is missed while rows are added. Every order ends with the row's key, which makes it total. Only such columns can be
sorted by whose order an index holds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, func, literal, select, tuple_

from projections.queries import cursors
from projections.queries.selection import MOMENTS, Selection, conditions, order, table_of
from projections.queries.time_points import SelectionError
from projections.schema.tables import Kind, exported, kind

LIMIT = 100
LIMIT_MAX = 1000
DESCENDING = "-"

SORTS = {
    "calls": ("opened_at", "position"),
    "cdrs": ("cdr_at", "position", "price"),
    "voicemails": ("received_at", "position"),
    "channels": ("received_at", "position"),
    "exceptions": ("position", "flag"),
    "billing": ("account", "period"),
    "billing-days": ("account", "day"),
    "entries": ("position",),
    "postings": ("position",),
    "closings": ("period",),
    "tariffs": ("version",),
}
SUMMED = (
    "src_duration", "dest_duration", "src_seconds", "dest_seconds", "billed_seconds", "calls", "answered", "events",
    "cost", "sip_credits", "price", "margin", "rounding",
)  # fmt: skip
FACETS = {
    "calls": ("tag", "state", "disposition", "flags"),
    "cdrs": ("tag", "account", "disposition", "flags"),
    "exceptions": ("flag", "tag"),
    "voicemails": ("tag",),
    "channels": ("tag",),
    "entries": ("kind", "account", "tag", "disposition"),
    "postings": ("kind", "account"),
    "closings": (),
    "tariffs": (),
    "billing": ("account",),
    "billing-days": ("account",),
}
FACET_VALUES_MAX = 20


class WrongSort(SelectionError):
    """An order in which the read model cannot be shown."""


class Page(NamedTuple):
    """Some rows, and the cursors of the pages behind and before them, empty where there are none."""

    rows: Sequence[Row[Any]]
    next: str
    previous: str


class Counted(NamedTuple):
    """One value of a column, and how many selected rows have it."""

    value: str
    rows: int


def default_sort(model: str) -> str:
    """Return the order in which a read model is shown unless asked otherwise: the newest first, where there are times."""
    return f"{DESCENDING}{SORTS[model][0]}" if model in MOMENTS else SORTS[model][0]


def page(  # noqa: PLR0917 - what, and where in it
    connection: Connection,
    model: str,
    selection: Selection,
    timezone: str,
    sort: str = "",
    cursor: str = "",
    limit: int = LIMIT,
) -> Page:
    """Return the rows of a selection that begin at a cursor, by default at its beginning.

    ``sort`` is one of the read model's ``SORTS``, with ``-`` before it for the highest first. Rows have all the read
    model's columns. Raises SelectionError (WrongSort, WrongCursor).
    """
    sort = sort or default_sort(model)
    columns = _keys(model, sort)
    kinds = [str if kind(column) is Kind.TEXT else int for column in columns]
    place = cursors.read(cursor, model, sort, kinds) if cursor else None
    backwards = place is not None and place.backwards
    descending = sort.startswith(DESCENDING) != backwards
    statement = select(table_of(model)).where(*conditions(model, selection, timezone))
    if place:
        statement = statement.where(_behind(columns, place.key, descending=descending))
    statement = _ordered(statement, columns, descending=descending).limit(limit + 1)
    rows = list(connection.execute(statement))
    more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()

    def at(row: Row[Any], *, backwards: bool) -> str:
        return cursors.write(model, sort, [row._mapping[column] for column in columns], backwards=backwards)  # noqa: SLF001

    has_next, has_previous = (True, more) if backwards else (more, place is not None)
    if not rows:
        return Page(rows, "", "")
    return Page(
        rows,
        at(rows[-1], backwards=False) if has_next else "",
        at(rows[0], backwards=True) if has_previous else "",
    )


def _keys(model: str, sort: str) -> list[Column[Any]]:
    """Return the columns of an order: the one asked for, and the key that tells equal rows apart."""
    name = sort.removeprefix(DESCENDING)
    if name not in SORTS[model]:
        msg = (
            f"{model} cannot be sorted by {name!r}: expected one of {', '.join(SORTS[model])}, or one with - before it"
        )
        raise WrongSort(msg)
    first = table_of(model).c[name]
    return [first, *(column for column in order(model) if column is not first)]


def _behind(columns: Sequence[Column[Any]], key: Sequence[object], *, descending: bool) -> Any:
    if len(columns) == 1:
        return columns[0] < key[0] if descending else columns[0] > key[0]
    here, there = (
        tuple_(*columns),
        tuple_(*(literal(value, column.type) for value, column in zip(key, columns, strict=True))),
    )
    return here < there if descending else here > there


def _ordered(statement: Select[Any], columns: Sequence[Column[Any]], *, descending: bool) -> Select[Any]:
    return statement.order_by(*(column.desc() if descending else column for column in columns))


def sums(connection: Connection, model: str, selection: Selection, timezone: str) -> dict[str, int]:
    """Return how many rows a selection has (``rows``), and the sums of its amounts, durations and counts."""
    table = table_of(model)
    names = [column.name for column in exported(table) if column.name in SUMMED]
    totals = [func.coalesce(func.sum(table.c[name]), 0) for name in names]
    statement = select(func.count(), *totals).select_from(table).where(*conditions(model, selection, timezone))
    found = connection.execute(statement).one()
    return dict(zip(("rows", *names), (int(value) for value in found), strict=True))


def facets(
    connection: Connection, model: str, selection: Selection, timezone: str, names: Sequence[str] = ()
) -> dict[str, list[Counted]]:
    """Return the commonest values of some columns among the selected rows, by default of the read model's ``FACETS``.

    ``flags`` is counted flag by flag; a text that is empty counts as a value.
    """
    table = table_of(model)
    wanted = conditions(model, selection, timezone)
    found = {}
    for name in names or FACETS[model]:
        column = table.c[name]
        if name == "flags":
            found[name] = _flags(connection, table, wanted)
            continue
        counted = select(column, func.count().label("found")).where(*wanted).group_by(column)
        counted = counted.order_by(func.count().desc(), column).limit(FACET_VALUES_MAX)
        found[name] = [Counted(*row) for row in connection.execute(counted).all()]
    return found


def _flags(connection: Connection, table: Table, wanted: Sequence[ColumnElement[bool]]) -> list[Counted]:
    """Count flags by looking at the flagged rows alone: they are few, and an index has them."""
    flags = table.c.flags
    flagged = connection.execute(select(flags, func.count()).where(*wanted, flags != "").group_by(flags)).all()
    rows: int = connection.execute(select(func.count()).select_from(table).where(*wanted)).scalar_one()
    plain = rows - sum(count for _, count in flagged)
    return _by_flag([*flagged, ("", plain)] if plain else flagged)


def _by_flag(groups: Sequence[Any]) -> list[Counted]:
    counts: dict[str, int] = {}
    for flags, rows in groups:
        for flag in flags.split(";") if flags else [""]:
            counts[flag] = counts.get(flag, 0) + rows
    return sorted((Counted(*item) for item in counts.items()), key=lambda each: (-each.rows, each.value))
