"""The rows of read models as lines of JSON that the database makes itself: those of which a digest is made (see digests.py).

Most tables of two stores are equal, and then a line is all that is needed of a row: to fetch its values, and to encode them
here, takes more than twice as long. SQLite compares the two tables itself, in one connection that sees both. Where tables
differ, or hold what no read model has, rows are fetched.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import zip_longest
from typing import Any

from sqlalchemy import Column, Connection, Table, Text
from sqlalchemy.exc import DBAPIError

from projections.building.digests import TableDigest
from projections.schema.tables import PROGRESS
from projections.stores.base import FRESH

LINES_AT_ONCE = 1000
# Rows of one column.
Lines = Sequence[Sequence[bytes]]
# What 64 bits cannot sum as a whole they can in halves, for 2,000,000,000 rows.
_HALF_BITS = 32


def digest_equal_tables(table: Table, fresh: Connection, live: Connection | None = None) -> TableDigest | None:
    """Return the digest of a fresh table, if a live one is equal or there is none; None where its rows must be fetched."""
    digest = TableDigest(table)
    try:
        if live is None:
            digest.add_all_lines(_lines(table, fresh))
        elif not (_add_joined if _is_attached(live) else _add_equal)(digest, table, fresh, live):
            return None
        digest.sums = _sum_money(table, fresh, list(digest.sums))
    except (DBAPIError, fresh.dialect.loaded_dbapi.Error):
        # SQLite columns take values of every type, and JSON does not have them all: the rows show what somebody put there.
        if fresh.dialect.name == "sqlite":
            return None
        raise
    return digest


def _add_equal(digest: TableDigest, table: Table, fresh: Connection, live: Connection) -> bool:
    """Digest a fresh table's lines as long as a live one has the same; whether it has all."""
    with closing(_lines(table, fresh)) as lines, closing(_lines(table, live)) as others:
        for some, other in zip_longest(lines, others):
            if some != other:
                return False
            digest.add_lines(some)
    return True


def _is_attached(live: Connection) -> bool:
    """Whether a connection to live read models sees the fresh ones as well, both at the same position."""
    if live.dialect.name != "sqlite" or all(row[1] != FRESH for row in live.exec_driver_sql("PRAGMA database_list")):
        return False
    name = PROGRESS.name
    query = f"SELECT l.position = f.position FROM main.{name} l CROSS JOIN {FRESH}.{name} f"
    return bool(live.exec_driver_sql(query).scalar_one())


def _add_joined(digest: TableDigest, table: Table, _fresh: Connection, live: Connection) -> bool:
    """Digest the lines of those rows of a fresh table that an attached live one has as well; whether these are all of both.

    The database compares: no line is made of a live row.
    """
    keys = [column.name for column in table.primary_key]
    same = [f"l.{name} = f.{name}" for name in keys]
    same += [f"l.{column.name} IS f.{column.name}" for column in table.columns if column.name not in keys]
    rows = f"{FRESH}.{table.name} AS f CROSS JOIN main.{table.name} AS l WHERE {' AND '.join(same)}"
    order = ", ".join(f"f.{name}" for name in keys)
    digest.add_all_lines(_fetched(live, f"SELECT {_json_array(table, 'f.')} FROM {rows} ORDER BY {order}"))
    # The rows of the tables themselves: an index that is damaged may have fewer.
    counts = live.exec_driver_sql(
        f"SELECT (SELECT count(*) FROM {FRESH}.{table.name} NOT INDEXED), (SELECT count(*) FROM main.{table.name} NOT INDEXED)"
    ).one()
    return all(count == digest.rows for count in counts)


def _fetched(connection: Connection, statement: str) -> Generator[Lines]:
    """Yield the rows of a query past SQLAlchemy, whose rows cost as much as the lines, many at a time."""
    driver: Any = connection.connection.driver_connection
    with closing(driver.execute(statement)) as cursor:
        while lines := cursor.fetchmany(LINES_AT_ONCE):
            yield lines


def _lines(table: Table, connection: Connection) -> Generator[Lines]:
    """Yield the lines of a table's rows in the order of its key, many at a time."""
    statement = _statement(table, connection)
    if connection.dialect.name == "sqlite":
        yield from _fetched(connection, statement)
        return
    options = {"yield_per": LINES_AT_ONCE}
    with connection.exec_driver_sql(statement, execution_options=options) as result:
        for lines in result.partitions():
            yield [(line.encode(),) for (line,) in lines]


def _statement(table: Table, connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        line = _json_array(table)
    else:
        values = " || ',' || ".join(map(_postgres_value, table.columns))
        line = f"'[' || {values} || ']'"
    keys = ", ".join(column.name for column in table.primary_key)
    return f"SELECT {line} FROM {table.name} ORDER BY {keys}"


def _json_array(table: Table, place: str = "") -> str:
    # As bytes: to make a text of each line, and bytes again to digest them, would take as long as to read them.
    return f"CAST(json_array({', '.join(f'{place}{column.name}' for column in table.columns)}) AS BLOB)"


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
