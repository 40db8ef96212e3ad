"""Where users, sessions and the audit log are kept: beside the ledger, never in it, since they get deleted and pruned.

On SQLite this is the file ``<ledger file>.access.db``, readable by its owner only; on PostgreSQL the schema
``tringledger_access`` of the ledger's database. The first process that needs it creates it.
"""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import DBAPIError

from api.web.auth.tables import FACTS, METADATA, SCHEMA
from api.web.auth.tokens import SIZE_BYTES, KeyedDigest
from domain.errors import StoreUnavailable
from domain.log import urls
from projections.stores import postgres_engine as postgres
from projections.stores import sqlite as store_sqlite
from projections.stores.base import LOCK_TIMEOUT_SECONDS, driver_message

PG_SCHEMA = "tringledger_access"
# The second number of the advisory lock; the read models use others.
ACCESS = 11
# A service may lose its last second of log and sign-outs in a power cut; a command's changes may not be lost.
QUICK, DURABLE = "NORMAL", "FULL"


class AccessStore(ABC):
    """An open access store; ``name`` is its name in messages. Methods raise StoreUnavailable."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Use an engine; ``name`` is for messages."""
        self.name = name
        self._engine = engine
        try:
            with self.exclusive() as connection:
                self._make(connection)
                self.sealer = KeyedDigest(bytes.fromhex(self._key(connection)))
        except BaseException:
            self.close()
            raise

    def _key(self, connection: Connection) -> str:
        facts: dict[str, str] = {row.name: row.value for row in connection.execute(select(FACTS))}
        if not facts:
            facts = {"schema": SCHEMA, "key": secrets.token_bytes(SIZE_BYTES).hex()}
            connection.execute(insert(FACTS), [{"name": name, "value": value} for name, value in facts.items()])
        if facts["schema"] != SCHEMA:
            msg = f"{self.name} has schema {facts['schema']}, and this version of tringledger has {SCHEMA}"
            raise StoreUnavailable(msg)
        return facts["key"]

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Begin a transaction that excludes every other such transaction, and commit it at the end."""
        with self._connected(self._begin_exclusive) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def append(self) -> Iterator[Connection]:
        """Begin a transaction that only adds rows, beside others of its kind, and commit it at the end."""
        with self._connected(self._begin_adding) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Begin a transaction that reads."""
        with self._connected(self._begin) as connection:
            yield connection

    @contextmanager
    def _connected(self, begin: Callable[[Connection], object]) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                begin(connection)
                yield connection
        except (DBAPIError, OSError, self._engine.dialect.loaded_dbapi.Error) as error:
            msg = f"the users and the access log in {self.name} cannot be used now: {driver_message(error)}"
            raise StoreUnavailable(msg) from error

    def _make(self, connection: Connection) -> None:
        METADATA.create_all(connection)

    @abstractmethod
    def _begin_exclusive(self, connection: Connection) -> None: ...

    @abstractmethod
    def _begin_adding(self, connection: Connection) -> None: ...

    @abstractmethod
    def _begin(self, connection: Connection) -> None: ...

    @abstractmethod
    def still_exists(self) -> bool:
        """Whether the opened store still exists at its place."""

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class SQLiteAccessStore(AccessStore):
    """A file beside the ledger's."""

    def __init__(self, ledger: Path, synchronous: str) -> None:
        """Open the file, or create it."""
        self._path = ledger.with_name(f"{ledger.name}.access.db")
        name = str(self._path)
        try:
            # SQLite gives its -wal and -shm files the same permissions.
            self._inode = os.fstat(file := os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)).st_ino
            os.close(file)
        except OSError as error:
            msg = f"the users and the access log in {name} cannot be used now: {error.strerror}"
            raise StoreUnavailable(msg) from error
        super().__init__(store_sqlite.sqlite_engine(self._path, f"PRAGMA synchronous={synchronous}"), name)

    def _begin_exclusive(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _begin_adding(self, connection: Connection) -> None:
        self._begin_exclusive(connection)

    def _begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def still_exists(self) -> bool:  # noqa: D102
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


class PostgresAccessStore(AccessStore):
    """A schema of the ledger's database."""

    def __init__(self, url: str, synchronous: str) -> None:
        """Open the schema, or create it."""
        engine = postgres.postgres_engine(
            url,
            f"SET search_path TO {PG_SCHEMA}",
            f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'",
            f"SET synchronous_commit = {'on' if synchronous == DURABLE else 'off'}",
            pool_pre_ping=True,
        )
        super().__init__(engine, f"schema {PG_SCHEMA}")

    def _make(self, connection: Connection) -> None:
        if not self._is_there(connection):
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {PG_SCHEMA}")
            super()._make(connection)

    def _is_there(self, connection: Connection) -> bool:
        found = connection.exec_driver_sql(f"SELECT to_regclass('{PG_SCHEMA}.records')").scalar_one()
        return found is not None

    def _begin_exclusive(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgres.ONLY_ONE}, {ACCESS})")

    def _begin_adding(self, connection: Connection) -> None:
        pass

    def _begin(self, connection: Connection) -> None:
        pass

    def still_exists(self) -> bool:  # noqa: D102 - a schema that is gone is told by the statement that misses it
        return True


def open_access_store(url: str, *, durable: bool) -> AccessStore:
    """Open or create the access store of the ledger at a URL; ``durable`` waits for the disk on each change."""
    synchronous = DURABLE if durable else QUICK
    if urls.is_postgres(url):
        return PostgresAccessStore(url, synchronous)
    return SQLiteAccessStore(Path(urls.sqlite_path(url)), synchronous)
