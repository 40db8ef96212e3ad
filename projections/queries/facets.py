"""The commonest values of columns in a selection of rows, the sums of its columns, and the number of rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, literal, select, union_all

from projections.queries.counted_rows import CountedRows, counted_in_parts, counted_quickly
from projections.queries.selection import Selection, read_model
from projections.schema.read_models import STORED_TABLES

FACET_VALUES_MAX = 20


class FacetValue(NamedTuple):
    """A value of a column, and the number of selected rows that have it."""

    value: str
    rows: int


def sum_columns(connection: Connection, model: str, selection: Selection, timezone: str) -> dict[str, int]:
    """Return the number of rows of a selection (``rows``), and the sums of its amounts, durations and counts."""
    found = sum_columns_within(connection, model, selection, timezone)
    assert found is not None
    return found


def sum_columns_within(
    connection: Connection, model: str, selection: Selection, timezone: str, rows_max: int | None = None
) -> dict[str, int] | None:
    """Return the same, or None where more than ``rows_max`` rows would have to be read one by one."""
    parts = counted_in_parts(connection, model, selection, timezone)
    names, table = read_model(model).summed, read_model(model).table
    if rows_max is not None and any(
        each.source.has_more(connection, rows_max) for each in parts if each.source.table is table
    ):
        return None
    sums = [0] * (1 + len(names))
    for sign, source in parts:
        totals = [func.coalesce(func.sum(source.table.c[name]), 0) for name in names]
        statement = select(source.rows, *totals).select_from(source.table).where(*source.conditions)
        found = connection.execute(statement).one()
        sums = [total + sign * int(value) for total, value in zip(sums, found, strict=True)]
    return dict(zip(("rows", *names), sums, strict=True))


class FacetCounts(NamedTuple):
    """The commonest values by column; ``among`` is the number of rows that were counted, or None where that was all of them."""

    values: dict[str, list[FacetValue]]
    among: int | None = None


def count_facets(
    connection: Connection, model: str, selection: Selection, timezone: str, names: Sequence[str] = ()
) -> dict[str, list[FacetValue]]:
    """Return the commonest values of some columns among the selected rows, by default of the read model's facets.

    ``flags`` is counted flag by flag; a text that is empty counts as a value.
    """
    return count_facets_among(connection, model, selection, timezone, names).values


def count_facets_among(  # noqa: PLR0917 - what is counted, and among how many
    connection: Connection,
    model: str,
    selection: Selection,
    timezone: str,
    names: Sequence[str] = (),
    rows_max: int | None = None,
) -> FacetCounts:
    """Return the same counts, of at most ``rows_max`` of the rows where those have to be counted one by one.

    Where they were not all counted, there are at least so many.
    """
    names = names or read_model(model).facets
    source = counted_quickly(connection, model, selection, timezone)
    if names and source.table is read_model(model).table:
        return _in_one_pass(connection, source, names, rows_max)
    return FacetCounts({name: _in_rollup(connection, source, name) for name in names})


def _in_one_pass(
    connection: Connection, source: CountedRows, names: Sequence[str], rows_max: int | None
) -> FacetCounts:
    """Read the rows once for all columns: to count by one of them a database may follow its index through all rows."""
    columns = [source.table.c[name] for name in names]
    some = select(*columns).where(*source.conditions).limit(rows_max).cte("some")
    rows = func.count().label("found")
    parts = []
    for name in names:
        counted = select(literal(name).label("name"), some.c[name].label("value"), rows).group_by(some.c[name])
        if name != "flags":
            counted = counted.order_by(rows.desc(), some.c[name]).limit(FACET_VALUES_MAX)
        parts.append(select(counted.subquery(f"by_{name}")))
    whole = select(literal(""), literal(""), func.count()).select_from(some)
    found: dict[str, list[FacetValue]] = {name: [] for name in ("", *names)}
    for name, value, counted_rows in connection.execute(union_all(*parts, whole)):
        found[name].append(FacetValue(value, int(counted_rows)))
    (whole_count,) = found.pop("")
    if "flags" in found:
        found["flags"] = _by_flag(found["flags"])
    values = {name: sorted(each, key=lambda value: (-value.rows, value.value)) for name, each in found.items()}
    return FacetCounts(values, whole_count.rows if whole_count.rows == rows_max else None)


def _in_rollup(connection: Connection, source: CountedRows, name: str) -> list[FacetValue]:
    if name == "flags":
        return _flags(connection, source)
    column = source.table.c[name]
    counted = select(column, source.rows.label("found")).where(*source.conditions).group_by(column)
    counted = counted.order_by(source.rows.desc(), column).limit(FACET_VALUES_MAX)
    return [FacetValue(value, int(rows)) for value, rows in connection.execute(counted)]


def _flags(connection: Connection, source: CountedRows) -> list[FacetValue]:
    """Count flags in the flagged rows alone: they are few."""
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
