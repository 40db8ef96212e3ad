"""Rows in and out of a read model's tables, many at a time.

Both databases accept the same statements, except for placeholders; PostgreSQL takes many rows faster as arrays.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, delete, insert, select

PLACEHOLDERS = {"qmark": "?", "pyformat": "%s"}
ARRAYS_FROM = 50
KEYS_AT_ONCE = 300

# By SQLAlchemy's name of a column's type, PostgreSQL's name for an array of its values.
_ARRAYS = {"text": "text[]", "big_integer": "bigint[]", "integer": "bigint[]", "large_binary": "bytea[]"}

TableRow = Sequence[object]
COPIED_AT_ONCE = 1000


def put_rows(connection: Connection, table: Table, rows: Sequence[TableRow], *, adding: bool = False) -> None:
    """Insert rows, in the table's column order, or replace those that have their key; ``adding`` adds to their other columns."""
    if len(rows) >= ARRAYS_FROM and connection.dialect.name == "postgresql":
        _put_arrays(connection, table, rows, adding=adding)
    elif rows:
        statement = _put_statement(table, PLACEHOLDERS[connection.dialect.paramstyle], adding=adding)
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def update_rows(connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[object]) -> None:
    """Update some columns, which are in no key, of the stored rows that have the keys of these, given as objects.

    An index is then changed by what it has of these columns alone; replacing a row changes all of them.
    """
    if not rows:
        return
    values = attrgetter(*names, *(column.name for column in table.primary_key))
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        columns = [list(column) for column in zip(*map(values, rows), strict=True)]
        driver.execute(_update_arrays_statement(table, names), columns, prepare=True)
    else:
        connection.exec_driver_sql(_update_statement(table, names), [*map(values, rows)])


@lru_cache(maxsize=64)
def _update_statement(table: Table, names: tuple[str, ...]) -> str:
    replaced = ", ".join(f"{name} = ?" for name in names)
    return f"UPDATE {table.name} SET {replaced} WHERE {' AND '.join(f'{key.name} = ?' for key in table.primary_key)}"


@lru_cache(maxsize=64)
def _update_arrays_statement(table: Table, names: tuple[str, ...]) -> str:
    keys = [column.name for column in table.primary_key]
    arrays = ", ".join(f"%b::{_ARRAYS[table.c[name].type.__visit_name__]}" for name in (*names, *keys))
    replaced = ", ".join(f"{name} = w.{name}" for name in names)
    equal = " AND ".join(f"t.{name} = w.{name}" for name in keys)
    return (
        f"UPDATE {table.name} t SET {replaced} FROM unnest({arrays}) AS w({', '.join((*names, *keys))}) WHERE {equal}"
    )


def append_rows(connection: Connection, table: Table, rows: Sequence[TableRow]) -> None:
    """Insert rows, in the table's column order, into a table of SQLite that has no key."""
    if rows:
        connection.exec_driver_sql(_append_statement(table), [tuple(row) for row in rows])


@lru_cache(maxsize=64)
def _append_statement(table: Table) -> str:
    return f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"


def _put_arrays(connection: Connection, table: Table, rows: Sequence[TableRow], *, adding: bool) -> None:
    """Upsert rows as one array for each column: one statement, without a temporary table, which not every role may make."""
    driver: Any = connection.connection.driver_connection
    columns = [list(column) for column in zip(*rows, strict=True)]
    driver.execute(_arrays_statement(table, adding=adding), columns, prepare=True)


def find_rows(
    connection: Connection, table: Table, columns: Sequence[Column[Any]], keys: Sequence[TableRow]
) -> Iterator[TableRow]:
    """Yield each row whose columns have one of these values once, in the table's column order; a value may come twice."""
    keys = list(dict.fromkeys(map(tuple, keys)))
    if connection.dialect.name == "postgresql":
        if keys:
            driver: Any = connection.connection.driver_connection
            arrays = [list(column) for column in zip(*keys, strict=True)]
            yield from driver.execute(_find_statement(table, tuple(columns)), arrays, prepare=True).fetchall()
        return
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        statement = _select_statement(table, tuple(columns), len(part))
        yield from connection.exec_driver_sql(statement, tuple([value for key in part for value in key])).all()


@lru_cache(maxsize=1024)
def _select_statement(table: Table, columns: tuple[Column[Any], ...], keys: int) -> str:
    # Passed to the driver directly, as below: few rows are found, so making the statement would take the longest.
    key = f"({', '.join('?' * len(columns))})"
    names = ", ".join(column.name for column in columns)
    return f"SELECT * FROM {table.name} WHERE ({names}) IN (VALUES {', '.join([key] * keys)})"


@lru_cache(maxsize=64)
def _find_statement(table: Table, columns: tuple[Column[Any], ...]) -> str:
    # A list of values is planned anew for each length, and by the statistics that the table has at the moment.
    arrays = ", ".join(f"%b::{_ARRAYS[column.type.__visit_name__]}" for column in columns)
    names = [column.name for column in columns]
    equal = " AND ".join(f"t.{name} = w.{name}" for name in names)
    return f"SELECT t.* FROM unnest({arrays}) AS w({', '.join(names)}) JOIN {table.name} t ON {equal}"


@lru_cache(maxsize=64)
def _arrays_statement(table: Table, *, adding: bool) -> str:
    arrays = ", ".join(f"%b::{_ARRAYS[column.type.__visit_name__]}" for column in table.columns)
    return _upsert(table, f"SELECT * FROM unnest({arrays})", adding=adding)


def delete_rows(
    connection: Connection, table: Table, columns: Sequence[Column[object]], keys: Sequence[TableRow]
) -> None:
    """Delete the rows whose columns have one of these values."""
    if keys:
        statement = _delete_statement(table, tuple(columns), PLACEHOLDERS[connection.dialect.paramstyle])
        connection.exec_driver_sql(statement, [tuple(key) for key in keys])


@lru_cache(maxsize=64)
def _delete_statement(table: Table, columns: tuple[Column[object], ...], placeholder: str) -> str:
    where = " AND ".join(f"{column.name} = {placeholder}" for column in columns)
    return f"DELETE FROM {table.name} WHERE {where}"


@lru_cache(maxsize=64)
def _put_statement(table: Table, placeholder: str, *, adding: bool) -> str:
    # Passed to the driver directly: SQLAlchemy's way through dictionaries takes twice as long.
    return _upsert(table, f"VALUES ({', '.join([placeholder] * len(table.columns))})", adding=adding)


def _upsert(table: Table, source: str, *, adding: bool) -> str:
    columns, keys = ([column.name for column in group] for group in (table.columns, table.primary_key))
    before = f"{table.name}.{{0}} + " if adding else ""
    replaced = ", ".join(f"{name} = {before.format(name)}excluded.{name}" for name in columns if name not in keys)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) {source}"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {replaced}"
    )


def copy_rows(source: Connection, target: Connection, metadata: MetaData) -> None:
    """Replace all rows of some tables by those that another database has of them, within the open transactions."""
    for table in metadata.sorted_tables:
        target.execute(delete(table))
        rows = source.execute(select(table).execution_options(yield_per=COPIED_AT_ONCE))
        for part in rows.partitions():
            target.execute(insert(table), [row._asdict() for row in part])
        if target.dialect.name == "postgresql":
            _go_on_counting(target, table)


def _go_on_counting(target: Connection, table: Table) -> None:
    """Continue a table's numbers after those that were copied: PostgreSQL counts apart from the rows."""
    column = table.autoincrement_column
    if column is not None and column.autoincrement is True:
        name = f"'{table.name}', '{column.name}'"
        target.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence({name}), coalesce(max({column.name}), 0) + 1, false) FROM {table.name}"
        )
