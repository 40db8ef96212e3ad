"""A schema of the ledger's PostgreSQL database."""

from sqlalchemy import Connection

from domain.log.keepalive import CONNECTIONS_MAX
from projections.stores.database import Database, Refusal
from projections.stores.postgres_engine import postgres_engine

IDLE_MAX = 2


class PostgresSchema(Database):
    """A schema; ``marker`` is the table by which it is found out whether the schema is there.

    ``lock`` is the advisory lock that a writer holds for its transaction, None where there is one writer only.
    """

    def __init__(
        self,
        url: str,
        schema: str,
        marker: str,
        refuse: Refusal,
        *statements: str,
        lock: tuple[int, int] | None,
        connections_max: int | None = None,
    ) -> None:
        """Use the schema in the database at a URL; each connection begins with the statements.

        Of at most ``connections_max`` connections, IDLE_MAX stay open while nobody uses them.
        """
        size = min(IDLE_MAX, connections_max or CONNECTIONS_MAX)
        engine = postgres_engine(
            url,
            f"SET search_path TO {schema}",
            *statements,
            name=schema,
            pool_pre_ping=True,
            pool_size=size,
            max_overflow=(connections_max or CONNECTIONS_MAX) - size,
        )
        super().__init__(engine, f"schema {schema}", refuse)
        self._schema = schema
        self._marker = marker
        self._lock = lock
        self._opened: int | None = None

    def create(self, connection: Connection) -> None:
        """Create the schema where it is missing."""
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")

    def find(self, connection: Connection) -> int | None:
        """Return the number that the database gave the marker, or None where the schema or its tables are missing."""
        statement = f"SELECT to_regclass('{self._schema}.{self._marker}')::oid"
        found: int | None = connection.exec_driver_sql(statement).scalar_one()
        return found

    def remember(self) -> bool:
        """Remember the schema as it is now, for ``still_exists``; whether it is there."""
        with self.reading() as connection:
            self._opened = self.find(connection)
        return self._opened is not None

    def _begin_writing(self, connection: Connection) -> None:
        if self._lock:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({self._lock[0]}, {self._lock[1]})")

    def _begin_adding(self, connection: Connection) -> None:
        pass

    def _begin_reading(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def still_exists(self) -> bool:
        """Whether the remembered schema is still the one of its name; a store that remembers none meets its loss anyway."""
        if self._opened is None:
            return True
        with self.reading() as connection:
            return self.find(connection) == self._opened
