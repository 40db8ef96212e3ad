"""Write rows into a build of read models in PostgreSQL, beside other processes that write other rows into it.

A build belongs to nobody until it is activated, so each process commits its rows by itself: a rebuild that fails empties the place.
A process that comes late, once the build has its position or another rebuild has begun the same generation anew, is refused: what
it has folded may have changed by then.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table

from domain.errors import StoreUnavailable
from projections.stores.postgres_slot import PostgresSlot
from projections.stores.upsert import TableRow, put_rows

_HAS_KEY = "23505"
_TYPES = {"text": "text", "big_integer": "int8"}


class PostgresBuildWriter:
    """Writes into the build of a generation, as long as that is in its place and being filled."""

    def __init__(self, url: str, generation: int, token: str) -> None:
        """Use the database at a URL, with one connection, and the token of the build."""
        self._token = token
        self._slot = PostgresSlot(url, generation, 1, building=True)

    def write(self, rows: Mapping[Table, Sequence[TableRow]]) -> None:
        """Write rows, in the order of their tables' columns, in one transaction.

        Rows that are there were written by a process that was lost before it could say so; they are replaced. Raises
        StoreUnavailable, also where the build has been dropped or filled meanwhile.
        """
        try:
            with self._writing() as connection:
                for table, some in rows.items():
                    _copy(connection, table, some)
        except StoreUnavailable as error:
            if getattr(error.__cause__, "sqlstate", "") != _HAS_KEY:
                raise
            with self._writing() as connection:
                for table, some in rows.items():
                    put_rows(connection, table, some)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._slot.writing() as connection:
            # Until this ends, whoever fills the build cannot set its position.
            found = connection.exec_driver_sql("SELECT position, digest FROM progress FOR SHARE").one()
            if found != (0, self._token):
                msg = (
                    f"the build of read models in {self._slot.name} takes no more rows: got position {found[0]}; expected it to be"
                    " filled by the rebuild for which these were folded"
                )
                raise StoreUnavailable(msg)
            yield connection

    def close(self) -> None:
        """Close the connection."""
        self._slot.close()


def _copy(connection: Connection, table: Table, rows: Sequence[TableRow]) -> None:
    driver: Any = connection.connection.driver_connection
    types = [_TYPES[column.type.__visit_name__] for column in table.columns]
    statement = f"COPY {table.name} FROM STDIN (FORMAT BINARY)"
    with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
