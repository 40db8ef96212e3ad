"""Read models on PostgreSQL: in the ledger's own database, in two schemas of which a rebuild fills the one that is not current.

An open generation holds a shared lock, as a process holds an open file: so no schema is emptied while it is read.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from secrets import token_hex

from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from domain.errors import StoreUnavailable
from projections.schema.tables import METADATA
from projections.stores import postgres_slots as slots
from projections.stores.base import FollowerLock, ReadModelsCorrupt, ReadStore, RebuildRunning, naming_the_limit
from projections.stores.database import driver_message
from projections.stores.postgres_engine import (
    CREATING,
    ONLY_ONE,
    OPEN,
    REBUILDING,
    hold_lock,
    holders_of,
    map_errors,
    postgres_engine,
)
from projections.stores.postgres_follower_lock import PostgresFollowerLock
from projections.stores.postgres_slot import PostgresSlot

REMOVAL_TIMEOUT_SECONDS = 15
TOKEN_BYTES = 8
MILLISECOND = timedelta(milliseconds=1)
ANALYZED_AT = (1_000, 10_000, 100_000, 1_000_000)
# The sessions that have locked a table of a schema, as HOLDERS names them.
_LOCKED_BY = """
    SELECT DISTINCT concat('process ', l.pid, ', role ', a.usename, ', ', nullif(a.application_name, ''))
    FROM pg_locks l JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted AND l.locktype = 'relation' AND c.relnamespace = to_regnamespace(%s) AND l.pid <> pg_backend_pid()
    ORDER BY 1
"""


class PostgresReadStore(ReadStore):
    """A generation in its schema."""

    def __init__(
        self, url: str, generation: int, ledger_id: str, connections_max: int | None = None, *, building: bool = False
    ) -> None:
        """Open the generation, or create it where its schema is empty; ``building`` is for one that is not read yet."""
        self._slot = PostgresSlot(url, generation, connections_max, building=building)
        super().__init__(self._slot, generation, ledger_id)
        try:
            if not self._slot.is_there():
                self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        with creating(self.name), self._slot.connected(_begin_creating) as connection:
            if not slots.are_made(connection):
                slots.make(connection)
            if self._slot.stamp(connection) is None:
                self._slot.put_stamp(connection)
                self._begin_at_0(connection)
            self._slot.check_stamp(connection)
            connection.commit()

    def note_growth(self, connection: Connection, before: int, position: int) -> None:  # noqa: D102
        # A table that was empty at its last ANALYZE is planned for as if it still were; autovacuum comes a minute later.
        if any(before < threshold <= position for threshold in ANALYZED_AT):
            self._slot.take_statistics(connection)

    def _missing_indexes(self, connection: Connection) -> list[str]:
        return self._slot.missing_indexes(connection)

    def create_missing_indexes(self) -> None:
        """Create them in one transaction: readers do not wait for it, and writers do."""
        self.finish_build()

    def can_write(self) -> bool:
        """Whether the server is no standby, and the role may write the read models."""
        query = "SELECT NOT pg_is_in_recovery() AND has_table_privilege('progress', 'UPDATE')"
        with self.snapshot() as connection:
            return bool(connection.exec_driver_sql(query).scalar_one())

    @contextmanager
    def time_limit(self, connection: Connection, limit: timedelta) -> Iterator[None]:  # noqa: D102 - each statement
        at_least_1 = max(limit // MILLISECOND, 1)  # 0 would be no limit.
        connection.exec_driver_sql(f"SAVEPOINT unlimited; SET LOCAL statement_timeout = {at_least_1}")
        try:
            with naming_the_limit():
                yield
        finally:
            with suppress(DBAPIError):  # What went wrong before counts.
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT unlimited; RELEASE SAVEPOINT unlimited")

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

    def share_build(self) -> str:  # noqa: D102
        token = token_hex(TOKEN_BYTES)
        with self.transaction() as connection:
            # At position 0 there is no event that could have a digest.
            self.set_position(connection, 0, token)
        return token

    def finish_build(self) -> None:  # noqa: D102
        with self.transaction() as connection:
            self._slot.finish(connection)


def _begin_creating(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONLY_ONE}, {CREATING})")


@contextmanager
def creating(name: str) -> Iterator[None]:
    """Say what is expected where a role may not make the schemas of read models."""
    try:
        yield
    except StoreUnavailable as error:
        if not isinstance(error.__cause__, ProgrammingError):
            raise
        msg = (
            f"{name}, for the read models, cannot be made: {driver_message(error.__cause__)}; expected the owner of the ledger to"
            " run `tringledger migrate`, with --service-role for the role of a service"
        )
        raise StoreUnavailable(msg) from error


class PostgresGenerations:
    """The schemas of a database, each with its generation in its name; see Generations for what each method does."""

    def __init__(self, url: str, ledger_id: str, connections_max: int | None = None) -> None:
        """Use the database at a URL, and the id of its ledger; ``connections_max`` is that of LedgerOptions."""
        self._connections_max = connections_max
        self._url = url
        self._ledger_id = ledger_id
        self._engine = postgres_engine(url, name="tringledger-read-models", poolclass=NullPool)

    def open(self, generation: int, *, building: bool = False) -> ReadStore:  # noqa: D102
        return PostgresReadStore(self._url, generation, self._ledger_id, self._connections_max, building=building)

    def make(self) -> bool:
        """Make the schemas, or bring them up to date; return whether read models were dropped for that."""
        with creating("schema tringledger_read"), map_errors("the read models"), self._engine.begin() as connection:
            return slots.make(connection)

    def are_made(self) -> bool:
        """Whether the schemas are there, in this version's form."""
        with map_errors("the read models"), self._engine.begin() as connection:
            return slots.are_made(connection)

    def clear(self, generation: int) -> None:  # noqa: D102
        where = slots.schema_of(slots.slot_of(generation))
        try:
            with map_errors(f"the read models in {where}"), self._begin() as connection:
                if slots.are_made(connection):
                    _empty(connection, generation, f"{REMOVAL_TIMEOUT_SECONDS}s")
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, OperationalError):
                raise
            msg = f"{where} is still in use, so no rebuild can fill it: {self._users_of(generation) or error}; try again later"
            raise StoreUnavailable(msg) from error

    def _users_of(self, generation: int) -> str:
        """Return the sessions that have locked the place of a generation, or a table there."""
        slot = slots.slot_of(generation)
        with map_errors("the database of the read models"), self._begin() as connection:
            readers = holders_of(connection, OPEN, slot)
            queries = connection.exec_driver_sql(_LOCKED_BY, (slots.schema_of(slot),)).scalars()
            return "; ".join(dict.fromkeys((*readers, *queries)))

    def remove(self, generation: int) -> None:  # noqa: D102
        with map_errors(f"the read models of generation {generation}"), self._begin() as connection:
            if slots.are_made(connection) and slots.stamp_in(connection, generation) == generation:
                _empty(connection, generation, f"{REMOVAL_TIMEOUT_SECONDS}s")

    def remove_before(self, generation: int) -> None:  # noqa: D102
        # A generation that is open, or queried by hand, is left for another time. One that was just closed may be locked a
        # moment longer.
        with map_errors("the database of the read models"), suppress(OperationalError), self._begin() as connection:
            if slots.are_made(connection):
                stamp = slots.stamp_in(connection, generation - 1)
                if stamp is not None and stamp < generation:
                    _empty(connection, generation - 1, "500ms")

    def _begin(self) -> AbstractContextManager[Connection]:
        return self._engine.begin()

    def follower_lock(self) -> FollowerLock:  # noqa: D102
        return PostgresFollowerLock(self._url)

    @contextmanager
    def rebuild_lock(self) -> Iterator[None]:  # noqa: D102
        with map_errors("the database of the read models"):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with connection:
            if not hold_lock(connection, f"lock({ONLY_ONE}, {REBUILDING})"):
                holders = "; ".join(holders_of(connection, ONLY_ONE, REBUILDING))
                msg = f"another rebuild is running on this database (its lock is held by {holders or 'a session that has ended'})"
                raise RebuildRunning(msg)
            try:
                yield
            finally:
                # Otherwise the lock is held until the server notices the closed connection.
                with suppress(DBAPIError):
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({ONLY_ONE}, {REBUILDING})")


def _empty(connection: Connection, generation: int, lock_timeout: str) -> None:
    """Empty the place of a generation, unless it is being read."""
    slot = slots.slot_of(generation)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{lock_timeout}'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({OPEN}, {slot})")
    connection.exec_driver_sql(f"SELECT {slots.EMPTY_SLOT}({slot})")
