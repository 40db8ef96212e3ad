"""Read models on PostgreSQL: a schema for each generation, in the ledger's own database.

An open generation holds a shared lock, as a process holds an open file: so no schema is dropped while it is read.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from domain.errors import StoreUnavailable
from projections.schema.indexes_and_views import create_indexes
from projections.schema.tables import METADATA, PROGRESS
from projections.stores.base import FollowerLock, ReadModelsCorrupt, ReadStore, RebuildRunning, refuse_read_models
from projections.stores.database import driver_message
from projections.stores.postgres_engine import (
    CREATING,
    ONLY_ONE,
    OPEN,
    REBUILDING,
    WRITING,
    hold_lock,
    map_errors,
    postgres_engine,
)
from projections.stores.postgres_follower_lock import PostgresFollowerLock
from projections.stores.postgres_schema import PostgresSchema

SCHEMA_PREFIX = "tringledger_read_"
REMOVAL_TIMEOUT_SECONDS = 5


class PostgresReadStore(ReadStore):
    """A generation in a schema of its own."""

    def __init__(self, url: str, generation: int, ledger_id: str, *, building: bool = False) -> None:
        """Open the schema, or create it; ``building`` is for one that is not read yet."""
        schema = PostgresSchema(
            url,
            f"{SCHEMA_PREFIX}{generation}",
            PROGRESS.name,
            refuse_read_models,
            # A read model that loses its last second in a crash catches it up again: its commits need not wait.
            "SET synchronous_commit = off",
            f"SELECT pg_advisory_lock_shared({OPEN}, {generation})",
            # Only its builders know of a generation that is being built, and they do not write the same rows.
            lock=None if building else (WRITING, generation),
        )
        super().__init__(schema, generation, ledger_id)
        try:
            if not schema.remember():
                self._make(schema, indexed=not building)
                schema.remember()
        except BaseException:
            self.close()
            raise

    def _make(self, schema: PostgresSchema, *, indexed: bool) -> None:
        try:
            with schema.connected(_begin_creating) as connection:
                schema.create(connection)
                self._create(connection, indexed=indexed)
                connection.commit()
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, ProgrammingError):
                raise
            msg = (
                f"{self.name}, for the read models, cannot be made: {driver_message(error.__cause__)}; expected a role that may"
                " make schemas (GRANT CREATE ON DATABASE)"
            )
            raise StoreUnavailable(msg) from error

    def find_damage(self) -> list[str]:
        """Read every row: the server checks each page that it reads, where it keeps checksums."""
        found = []
        for table in METADATA.tables:
            try:
                with self.snapshot() as connection:
                    connection.exec_driver_sql(f"SELECT sum(length(t::text)) FROM {table} t")
            except ReadModelsCorrupt as error:
                found.append(str(error))
        return found

    def finish_build(self) -> None:  # noqa: D102
        with self.transaction() as connection:
            create_indexes(connection)
            connection.exec_driver_sql(f"ANALYZE {', '.join(METADATA.tables)}")


def _begin_creating(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONLY_ONE}, {CREATING})")


class PostgresGenerations:
    """The schemas of a database, each with its generation in its name; see Generations for what each method does."""

    def __init__(self, url: str, ledger_id: str) -> None:
        """Use the database at a URL, and the id of its ledger."""
        self._url = url
        self._ledger_id = ledger_id
        self._engine = postgres_engine(url, name="tringledger-read-models", poolclass=NullPool)

    def open(self, generation: int, *, building: bool = False) -> ReadStore:  # noqa: D102
        return PostgresReadStore(self._url, generation, self._ledger_id, building=building)

    def remove(self, generation: int) -> None:  # noqa: D102
        with map_errors(f"the read models of generation {generation}"), self._engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{REMOVAL_TIMEOUT_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({OPEN}, {generation})")
            _drop(connection, generation)

    def remove_before(self, generation: int) -> None:  # noqa: D102
        with map_errors("the database of the read models"), self._engine.connect() as connection:
            for earlier in _generations(connection):
                # A generation that is open, or queried by hand, is left for another time. One that was just closed may be
                # locked a moment longer.
                with suppress(OperationalError), connection.begin():
                    if earlier < generation:
                        connection.exec_driver_sql("SET LOCAL lock_timeout = '500ms'")
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({OPEN}, {earlier})")
                        _drop(connection, earlier)

    def follower_lock(self) -> FollowerLock:  # noqa: D102
        return PostgresFollowerLock(self._url)

    @contextmanager
    def rebuild_lock(self) -> Iterator[None]:  # noqa: D102
        with map_errors("the database of the read models"):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with connection:
            if not hold_lock(connection, f"lock({ONLY_ONE}, {REBUILDING})"):
                raise RebuildRunning("another rebuild is running on this database")
            try:
                yield
            finally:
                # Otherwise the lock is held until the server notices the closed connection.
                with suppress(DBAPIError):
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({ONLY_ONE}, {REBUILDING})")


def _drop(connection: Connection, generation: int) -> None:
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {SCHEMA_PREFIX}{generation} CASCADE")


def _generations(connection: Connection) -> list[int]:
    with connection.begin():
        names = connection.exec_driver_sql("SELECT nspname::text FROM pg_namespace").scalars().all()
    return [int(found[1]) for found in (re.fullmatch(SCHEMA_PREFIX + "([0-9]+)", name) for name in names) if found]
