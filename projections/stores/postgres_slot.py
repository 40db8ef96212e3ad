"""One of the two places of read models in PostgreSQL, as it is while it holds one generation."""

from typing import Any

from sqlalchemy import Connection

from domain.errors import StoreUnavailable
from projections.schema.indexes_and_views import postgres_index_statements
from projections.schema.tables import METADATA
from projections.stores import postgres_slots as slots
from projections.stores.base import ReadModelsUnusable, refuse_read_models
from projections.stores.postgres_engine import NO_TIMEOUTS, OPEN, WRITING
from projections.stores.postgres_schema import PostgresSchema

_IS_OWNER = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)"
_BEGIN_READING = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class PostgresSlot(PostgresSchema):
    """The place of a generation. Its transactions make sure that it still holds this generation."""

    def __init__(self, url: str, generation: int, connections_max: int | None = None, *, building: bool) -> None:
        """Use the place of a generation in the database at a URL."""
        self._generation = generation
        self._number = slots.slot_of(generation)
        schema = slots.schema_of(self._number)
        super().__init__(
            url,
            schema,
            slots.STAMP,
            refuse_read_models,
            # A read model that loses its last second in a crash catches it up again: its commits need not wait.
            "SET synchronous_commit = off",
            f"SELECT pg_advisory_lock_shared({OPEN}, {self._number})",
            # A build takes as long as it takes.
            *((NO_TIMEOUTS,) if building else ()),
            # Only its builders know of a generation that is being built, and they do not write the same rows.
            lock=None if building else (WRITING, self._number),
            connections_max=connections_max,
        )

    def is_there(self) -> bool:
        """Whether the generation is there; raises ReadModelsUnusable where another one is in its place."""
        with self.connected(super()._begin_reading) as connection:
            if not slots.are_made(connection) or self.stamp(connection) is None:
                return False
            self.check_stamp(connection)
        return True

    def stamp(self, connection: Connection) -> int | None:
        """Return the number of the generation that is in this place, or None."""
        return slots.stamp_in(connection, self._generation)

    def put_stamp(self, connection: Connection) -> None:
        """Note that this generation is in this place."""
        connection.exec_driver_sql(f"INSERT INTO {slots.STAMP} VALUES (%s)", (self._generation,))

    def check_stamp(self, connection: Connection) -> None:
        """Raise ReadModelsUnusable where another generation is in this place."""
        found = self.stamp(connection)
        if found != self._generation:
            msg = (
                f"the read models in {self.name} are of generation {found}; expected {self._generation}, which is the ledger's:"
                " was the log restored from an older copy? Run `tringledger rebuild`"
            )
            raise ReadModelsUnusable(msg)

    def finish(self, connection: Connection) -> None:
        """Create the indexes that are missing, and take statistics: however long that takes."""
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT {slots.FINISH_SLOT}({self._number})")

    def missing_indexes(self, connection: Connection) -> list[str]:
        """Return the names of the indexes that are missing."""
        there = connection.exec_driver_sql(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema"
        ).scalars()
        return sorted({*postgres_index_statements("")} - {*there})

    def take_statistics(self, connection: Connection) -> None:
        """Take statistics; the indexes stay missing, but for a role that may take them only by the function that makes both."""
        if connection.exec_driver_sql(_IS_OWNER, (slots.STAMP,)).scalar_one():
            connection.exec_driver_sql(f"ANALYZE {', '.join(METADATA.tables)}")
        else:
            self.finish(connection)

    def _begin_writing(self, connection: Connection) -> None:
        connection.begin()  # What goes to the driver directly would begin no transaction, which could then not be committed.
        super()._begin_writing(connection)
        self._hold(connection, f"SELECT number FROM {slots.STAMP}")

    def _begin_reading(self, connection: Connection) -> None:
        self._hold(connection, f"{_BEGIN_READING}; SELECT number FROM {slots.STAMP}")

    def _hold(self, connection: Connection, statements: str) -> None:
        """Run statements in one round trip, of which the last reads the stamp, and check it.

        A rebuild may have taken the place after all connections, and their locks, were cut.
        """
        driver: Any = connection.connection.driver_connection
        cursor = driver.execute(statements, prepare=False)
        while cursor.nextset():
            pass
        found = cursor.fetchone()
        if found != (self._generation,):
            msg = f"the read models in {self.name} were deleted, or a rebuild has replaced them: got {found}"
            raise StoreUnavailable(msg)

    def still_exists(self) -> bool:
        """Whether the generation is still in its place."""
        with self.connected(super()._begin_reading) as connection:
            return self.find(connection) is not None and self.stamp(connection) == self._generation
