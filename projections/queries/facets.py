"""The commonest values of columns in a selection of rows, the sums of its columns, and the number of rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from projections.queries.counted_rows import CountedRows, counted_quickly
from projections.queries.selection import Selection, read_model
from projections.schema.read_models import STORED_TABLES

FACET_VALUES_MAX = 20


class FacetValue(NamedTuple):
    """A value of a column, and the number of selected rows that have it."""

    value: str
    rows: int


def sum_columns(connection: Connection, model: str, selection: Selection, timezone: str) -> dict[str, int]:
    """Return the number of rows of a selection (``rows``), and the sums of its amounts, durations and counts."""
    source, names = counted_quickly(connection, model, selection, timezone), read_model(model).summed
    totals = [func.coalesce(func.sum(source.table.c[name]), 0) for name in names]
    statement = select(source.rows, *totals).select_from(source.table).where(*source.conditions)
    found = connection.execute(statement).one()
    return dict(zip(("rows", *names), (int(value) for value in found), strict=True))


def count_facets(
    connection: Connection, model: str, selection: Selection, timezone: str, names: Sequence[str] = ()
) -> dict[str, list[FacetValue]]:
    """Return the commonest values of some columns among the selected rows, by default of the read model's facets.

    ``flags`` is counted flag by flag; a text that is empty counts as a value.
    """
    source = counted_quickly(connection, model, selection, timezone)
    found = {}
    for name in names or read_model(model).facets:
        column = source.table.c[name]
        if name == "flags":
            found[name] = _flags(connection, source)
            continue
        counted = select(column, source.rows.label("found")).where(*source.conditions).group_by(column)
        counted = counted.order_by(source.rows.desc(), column).limit(FACET_VALUES_MAX)
        found[name] = [FacetValue(value, int(rows)) for value, rows in connection.execute(counted)]
    return found


def _flags(connection: Connection, source: CountedRows) -> list[FacetValue]:
    """Count flags in the flagged rows alone: they are few, and have an index."""
    flags, wanted = source.table.c.flags, source.conditions
    flagged = connection.execute(select(flags, source.rows).where(*wanted, flags != "").group_by(flags)).all()
    rows = int(connection.execute(select(source.rows).select_from(source.table).where(*wanted)).scalar_one())
    plain = rows - sum(count for _, count in flagged)
    return _by_flag([*flagged, ("", plain)] if plain else flagged)


def _by_flag(groups: Sequence[Any]) -> list[FacetValue]:
    counts: dict[str, int] = {}
    for flags, rows in groups:
        for flag in flags.split(";") if flags else [""]:
            counts[flag] = counts.get(flag, 0) + int(rows)
    return sorted((FacetValue(*item) for item in counts.items()), key=lambda each: (-each.rows, each.value))


def count_rows(connection: Connection) -> dict[str, int]:
    """Count the rows of each read model in its table itself, not in an index, so that a damaged page is met."""
    hint = " NOT INDEXED" if connection.dialect.name == "sqlite" else ""
    return {
        name: connection.exec_driver_sql(f"SELECT count(*) FROM {table.name}{hint}").scalar_one()
        for name, table in STORED_TABLES.items()
    }
