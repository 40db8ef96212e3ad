"""Recognition of a connection pooler that pools by transaction: locks and notifications need a session of their own.

A pooler gives a client a made-up process id when it connects. If the id is the server process's own, there is no pooler.
"""

from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import Connection

from domain.errors import PooledByTransaction


def check_pooling(first: Connection[Any], open_second: Callable[[], Connection[Any]], shown_url: str) -> None:
    """Raise PooledByTransaction if two open connections share a server process.

    ``first`` is a new connection outside a transaction; ``open_second`` opens another one, which is asked only if there is
    a pooler. A pooler whose other clients take all server processes at that moment may go unnoticed.
    """
    process = _server_process(first)
    if process == first.info.backend_pid:
        return
    is_shared = False
    with suppress(psycopg.OperationalError), closing(open_second()) as second:
        second.execute("BEGIN")
        is_shared = _server_process(second) == process or _server_process(first) != process
        second.execute("ROLLBACK")
    if is_shared:
        msg = (
            f"the store {shown_url} is behind a connection pooler that pools by transaction; expected one that pools by"
            " session (pgbouncer: pool_mode = session), or the server itself, because locks and notifications belong to"
            " a session"
        )
        raise PooledByTransaction(msg)


def _server_process(connection: Connection[Any]) -> int:
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()", prepare=False).fetchone()
    assert row
    process: int = row[0]
    return process
