"""The rows of a query as lines of CSV that PostgreSQL writes (COPY TO STDOUT): no value becomes a Python object."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select

# Every value that is there stands in quotes, so that a text cannot be taken for an absent value.
ABSENT = "null"
# The whole of a copy is one statement, with the pauses of whoever reads it: it may take as long as a pause in a transaction.
_TIME_MAX = "1h"
# While nobody reads, the server has lines that it cannot send. That alone must not count as a lost network, as it does after the four
# seconds of HOLDER_SESSION: 0 is what the server's system has, which gives up where nothing is answered.
_SETTINGS = f"SET LOCAL statement_timeout = '{_TIME_MAX}'; SET LOCAL tcp_user_timeout = 0"


class _Left(Exception):
    """Whoever reads a copy leaves it."""


@contextmanager
def open_copy(connection: Connection, statement: Select[Any]) -> Iterator[Iterator[bytes]]:
    """Begin to copy the rows of a query, and lend an iterator over their lines.

    A copy that is left before its end is cancelled, which ends the transaction. Meanwhile the connection can do nothing else.
    """
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    connection.exec_driver_sql(_SETTINGS)
    copied: Any = f"COPY ({compiled}) TO STDOUT (FORMAT csv, NULL '{ABSENT}', FORCE_QUOTE *)"
    # Without parameters the driver leaves %% as it is.
    params = compiled.params or None
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, suppress(_Left), cursor.copy(copied if params else copied % (), params) as copy:
        yield iter(copy)
        raise _Left  # Only after an error does the driver tell the server to stop.


def lines_in_chunks(lines: Iterator[bytes], rows_at_once: int) -> Iterator[bytes]:
    """Yield lines, each with its end, many at a time: the server sends each row by itself."""
    while chunk := b"".join(islice(lines, rows_at_once)):
        yield chunk
