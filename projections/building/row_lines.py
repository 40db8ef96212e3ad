"""The rows of read models as lines of JSON that the database makes itself: those of which a digest is made (see digests.py).

Most tables of two stores are equal, and then a line is all that is needed of a row: to fetch its values, and to encode them
here, takes more than twice as long. Where tables differ, or hold what no read model has, rows are fetched.
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from itertools import zip_longest
from typing import Any

from sqlalchemy import Column, Connection, Table, Text
from sqlalchemy.exc import DBAPIError

from projections.building.digests import TableDigest

LINES_AT_ONCE = 1000
# Rows of one column.
Lines = Sequence[Sequence[str]]
# What 64 bits cannot sum as a whole they can in halves, for 2,000,000,000 rows.
_HALF_BITS = 32


def digest_equal_tables(table: Table, fresh: Connection, live: Connection | None = None) -> TableDigest | None:
    """Return the digest of a fresh table, if a live one is equal or there is none; None where its rows must be fetched."""
    digest = TableDigest(table)
    try:
        with ExitStack() as opened:
            lines = opened.enter_context(closing(_lines(table, fresh)))
            if live is None:
                for some in lines:
                    digest.add_lines(some)
            else:
                others = opened.enter_context(closing(_lines(table, live)))
                for some, other in zip_longest(lines, others):
                    if some != other:
                        return None
                    digest.add_lines(some)
        digest.sums = _sum_money(table, fresh, list(digest.sums))
    except (DBAPIError, fresh.dialect.loaded_dbapi.Error):
        # SQLite columns take values of every type, and JSON does not have them all: the rows show what somebody put there.
        if fresh.dialect.name == "sqlite":
            return None
        raise
    return digest


def _lines(table: Table, connection: Connection) -> Generator[Lines]:
    """Yield the lines of a table's rows in the order of its key, many at a time."""
    statement = _statement(table, connection)
    if connection.dialect.name == "sqlite":
        # Past SQLAlchemy, whose rows cost as much as the lines.
        driver: Any = connection.connection.driver_connection
        with closing(driver.execute(statement)) as cursor:
            while lines := cursor.fetchmany(LINES_AT_ONCE):
                yield lines
        return
    options = {"yield_per": LINES_AT_ONCE}
    with connection.exec_driver_sql(statement, execution_options=options) as result:
        yield from result.partitions()


def _statement(table: Table, connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        line = f"json_array({', '.join(column.name for column in table.columns)})"
    else:
        values = " || ',' || ".join(map(_postgres_value, table.columns))
        line = f"'[' || {values} || ']'"
    keys = ", ".join(column.name for column in table.primary_key)
    return f"SELECT {line} FROM {table.name} ORDER BY {keys}"


def _postgres_value(column: Column[object]) -> str:
    value = f"to_json({column.name})::text" if isinstance(column.type, Text) else f"{column.name}::text"
    return f"coalesce({value}, 'null')" if column.nullable else value


def _sum_money(table: Table, connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Return the exact sums of some columns."""
    if not names:
        return {}
    halves = ", ".join(f"sum({name} >> {_HALF_BITS}), sum({name} & {(1 << _HALF_BITS) - 1})" for name in names)
    found = connection.exec_driver_sql(f"SELECT {halves} FROM {table.name}").one()
    sums = [int(half or 0) for half in found]
    return {name: (high << _HALF_BITS) + low for name, high, low in zip(names, sums[::2], sums[1::2], strict=True)}
