"""Rows in and out of a read model's tables, many at a time."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table, and_, bindparam, delete
from sqlalchemy.dialects.sqlite import insert

Row = Sequence[object]


def put_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, in the table's column order, or replace those that have their key."""
    if rows:
        connection.exec_driver_sql(_put_statement(table, connection.dialect), [tuple(row) for row in rows])


def delete_rows(connection: Connection, table: Table, columns: Sequence[Column[object]], keys: Sequence[Row]) -> None:
    """Delete the rows whose columns have one of these values."""
    if keys:
        where = and_(*(column == bindparam(f"key_{number}") for number, column in enumerate(columns)))
        named = [{f"key_{number}": value for number, value in enumerate(key)} for key in keys]
        connection.execute(delete(table).where(where), named)


@lru_cache(maxsize=64)
def _put_statement(table: Table, dialect: Dialect) -> str:
    # Written out and handed to the driver as it is: SQLAlchemy's own way through dictionaries takes twice as long.
    put = insert(table)
    keys = list(table.primary_key)
    others = {column.name: put.excluded[column.name] for column in table.columns if column not in keys}
    values: dict[str, Any] = {column.name: bindparam(column.name) for column in table.columns}
    return str(put.values(values).on_conflict_do_update(index_elements=keys, set_=others).compile(dialect=dialect))
