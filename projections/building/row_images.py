"""Rows as the image of a small SQLite database: what a worker writes, and SQLite moves into another file as it is.

Writing a row takes much longer than moving it, so workers do it. This module imports no SQLAlchemy: workers start quickly.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from projections.rows.projector import RowBatch, as_tuples

PART = "part"  # The schema in which an image is read.


class ImageTable(NamedTuple):
    """A table of an image: the class of its rows, its name, and its columns as SQL declares them.

    The table into which the rows are moved has the same columns in the same order, and no key. One without a class has what
    ``select`` finds in the tables before it.
    """

    kind: type | None
    name: str
    columns: tuple[str, ...]
    select: str = ""

    @property
    def definition(self) -> str:
        """The statement that creates the table."""
        return f"CREATE TABLE {self.name} ({', '.join(self.columns)})"

    @property
    def insertion(self) -> str:
        """The statement that fills it, or that inserts a row."""
        values = f"VALUES ({', '.join('?' * len(self.columns))})"
        return f"INSERT INTO {self.name} {self.select or values}"


def pack_rows(batch: RowBatch, tables: Sequence[ImageTable]) -> None:
    """Replace the rows that a batch has of some tables by their image; they stay as they are where a sum of them does not fit."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        # All tables before the rows, so that they begin at the same pages in every image: SQLite reads a schema once.
        for table in tables:
            connection.execute(table.definition)
        for table in tables:
            if table.kind:
                connection.executemany(table.insertion, as_tuples(batch.rows.get(table.kind, ())))
            elif not _is_filled(connection, table):
                return
        connection.execute("COMMIT")
        batch.image = connection.serialize()
    for table in tables:
        if table.kind:
            batch.rows.pop(table.kind, None)


def _is_filled(connection: sqlite3.Connection, table: ImageTable) -> bool:
    try:
        connection.execute(table.insertion)
    except sqlite3.OperationalError:  # A sum has more than 64 bits.
        return False
    return True


def attach_part(connection: sqlite3.Connection) -> None:
    """Make room for images beside a connection's own tables; outside of a transaction."""
    connection.execute(f"ATTACH ':memory:' AS {PART}")


def move_rows(connection: sqlite3.Connection, batch: RowBatch, tables: Sequence[ImageTable]) -> None:
    """Add the rows of a batch's image to a connection's own tables, within its transaction."""
    connection.deserialize(batch.image, name=PART)
    for table in tables:
        connection.execute(f"INSERT INTO main.{table.name} SELECT * FROM {PART}.{table.name}")
