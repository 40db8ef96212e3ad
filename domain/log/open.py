"""From a store's URL to its log.

The PostgreSQL driver is imported only for a PostgreSQL URL: SQLite works without it.
"""

from pathlib import Path
from typing import Any, cast

from eventsourcing.persistence import InfrastructureFactory

from domain.errors import MissingDriver
from domain.log.contract import Log
from domain.log.sqlite.log import SQLiteLogFactory
from domain.log.urls import is_postgres, sqlite_path


def check_url(url: str) -> None:
    """Raise UnknownStore for a URL of no known store, MissingDriver if its driver is not installed."""
    if is_postgres(url):
        _postgres().check_url(url)
    else:
        sqlite_path(url)


def may_exist(url: str) -> bool:
    """Whether a ledger may exist at a URL; to open a SQLite file that does not exist would create it."""
    return is_postgres(url) or Path(sqlite_path(url)).exists()


def log_factory(url: str, connections_max: int | None = None) -> InfrastructureFactory[Any]:
    """Return the factory for the log at a URL; raises UnknownStore. ``connections_max`` is for PostgreSQL (LedgerOptions)."""
    if is_postgres(url):
        factory: InfrastructureFactory[Any] = _postgres().PostgresLogFactory(url, connections_max)
        return factory
    return SQLiteLogFactory(sqlite_path(url))


def open_log(url: str) -> Log:
    """Return the log at a URL, whether it has a ledger or not; raises UnknownStore."""
    return cast("Log", log_factory(url).application_recorder())


def _postgres() -> Any:
    try:
        from domain.log.postgres import log as postgres  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        msg = (
            "a store in PostgreSQL needs its driver, which is not installed: expected tringledger with the extra postgres,"
            " as by `pip install '.[postgres]'`"
        )
        raise MissingDriver(msg) from error
    return postgres
