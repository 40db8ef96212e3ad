"""Connections of the read models to the ledger's PostgreSQL database, and the advisory locks on them.

The locks belong to the session, so they end with their holder, however it ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from domain.errors import StoreReadOnly, StoreUnavailable
from domain.log.advisory_lock import HOLDERS
from domain.log.keepalive import HOLDER_NETWORK, HOLDER_SESSION
from projections.stores.database import LOCK_TIMEOUT_SECONDS, STANDBY_SERVER, driver_message, is_standby

# Two numbers name a lock in a database: one of these, and the generation or, for ONLY_ONE, the kind of work.
OPEN, WRITING, ONLY_ONE = 1_953_655_301, 1_953_655_302, 1_953_655_303
CREATING, REBUILDING, FOLLOWING = 1, 2, 3

# The longest that a statement, the wait for a lock, and a pause within a transaction may take. Exports pause while whoever
# reads them does, and the server keeps old rows meanwhile: an hour is enough for both.
SESSION = {
    **HOLDER_SESSION,
    "statement_timeout": "300s",
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    "idle_in_transaction_session_timeout": "1h",
    # Whoever fills a build sees what its workers have committed, whatever the database's own default is.
    "default_transaction_isolation": "read committed",
}
NO_TIMEOUTS = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_SETTINGS = "; ".join(f"SET {name} = '{value}'" for name, value in SESSION.items())


def postgres_engine(url: str, *statements: str, name: str, **options: Any) -> Engine:
    """Return an engine for the database at a URL; each connection begins with these statements.

    ``name`` is the application_name of the connections, unless the URL has one.
    """
    made = create_engine("postgresql+psycopg://", hide_parameters=True, use_native_hstore=False, **options)

    # The driver reads the URL, because SQLAlchemy does not know all that a URL may contain.
    @event.listens_for(made, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> None:
        arguments[:] = [url]
        named.update(fallback_application_name=name, client_encoding="utf8")
        named.update({key: value for key, value in HOLDER_NETWORK.items() if f"{key}=" not in url})

    @event.listens_for(made, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.execute("; ".join((_SETTINGS, *statements)))
        connection.commit()

    return made


@contextmanager
def map_errors(what: str) -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailable, or StoreReadOnly on a standby, which names ``what`` cannot be used."""
    try:
        yield
    except DBAPIError as error:
        if is_standby(error):
            msg = f"{what} cannot be written now: {STANDBY_SERVER}"
            raise StoreReadOnly(msg) from error
        msg = f"{what} cannot be used now: {driver_message(error)}"
        raise StoreUnavailable(msg) from error


def hold_lock(connection: Connection, lock: str) -> bool:
    """Try to take a lock without waiting: ``lock(a, b)`` for the session, ``xact_lock(a, b)`` for the transaction."""
    taken: bool = connection.exec_driver_sql(f"SELECT pg_try_advisory_{lock}").scalar_one()
    return taken


def holders_of(connection: Connection, first: int, second: int) -> list[str]:
    """Return the other sessions that hold the lock that two numbers name, each as one text."""
    return [*connection.exec_driver_sql(HOLDERS, (first, second)).scalars()]
