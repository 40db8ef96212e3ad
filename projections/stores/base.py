"""The store of one generation of read models, and what each kind of database must offer for generations.

What all databases have in common is here; each database has a file of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Protocol

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import OperationalError

from domain.errors import LedgerError, Unavailable
from domain.log.contract import Log
from projections.schema import indexes_and_views
from projections.schema.tables import METADATA, PROGRESS, SCHEMA
from projections.stores.database import Database, driver_message, is_damage, is_stopped, unavailable
from projections.stores.log_binding import NO_EVENT, name_mismatch

FRESH = "fresh"  # A schema of snapshots that see a fresh build besides the live read models.


class ReadModelsUnusable(LedgerError):
    """The read models belong to another ledger, log or version: they must not be used."""


class ReadModelsOutdated(ReadModelsUnusable):
    """An earlier version made the read models: a service rebuilds them by itself."""


class ReadModelsCorrupt(ReadModelsUnusable):
    """The database found the read models damaged: they must be rebuilt."""


class RebuildRunning(Unavailable):
    """Another rebuild of the same ledger is running."""


class TimeLimitReached(Exception):
    """A statement was stopped since it took longer than it may."""


@contextmanager
def naming_the_limit() -> Iterator[None]:
    """Raise TimeLimitReached where the database says that it stopped a statement."""
    try:
        yield
    except OperationalError as error:
        if is_stopped(error):
            raise TimeLimitReached from error
        raise


def refuse_read_models(name: str, error: BaseException) -> LedgerError:
    """Return the error for a failing database of read models: ReadModelsCorrupt or StoreUnavailable."""
    if is_damage(error):
        return ReadModelsCorrupt(
            f"the read models in {name} are damaged: {driver_message(error)}; run `tringledger rebuild`"
        )
    return unavailable("the read models")(name, error)


class ReadStore(ABC):
    """One generation of a ledger's read models; ``name`` is its name in messages."""

    def __init__(self, database: Database, generation: int, ledger_id: str) -> None:
        """Use a database that holds this generation and no other."""
        self.name = database.name
        self.generation = generation
        self.ledger_id = ledger_id
        self._database = database
        self._has_indexes = False

    @property
    def folder(self) -> Path | None:
        """The folder for temporary files of a build; None where it needs none."""
        return None

    def transaction(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that excludes other writers, and commit it at the end; raises StoreUnavailable."""
        return self._database.writing()

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that sees the read models as they are at one position; raises StoreUnavailable."""
        return self._database.reading()

    def snapshot_with_fresh(self, _fresh: "ReadStore") -> AbstractContextManager[Connection]:
        """Begin a snapshot that, where the database can do it, sees another generation as the schema FRESH.

        The other one is seen as it is when it is first read.
        """
        return self.snapshot()

    def time_limit(self, _connection: Connection, _limit: timedelta) -> AbstractContextManager[None]:
        """Stop a snapshot's statement that is at work longer than that, or a little more; raises TimeLimitReached.

        The snapshot can still be used afterwards. There is one limit at a time: none begins within another. A store that only one process knows has no limit.
        """
        return nullcontext()

    @abstractmethod
    def note_growth(self, connection: Connection, before: int, position: int) -> None:
        """Take statistics where catching up from one position to another has made that worthwhile."""

    def can_write(self) -> bool:
        """Whether this process may change the read models at present: a standby, and a role of a reader, may not."""
        return True

    def still_exists(self) -> bool:
        """Whether the opened generation still exists at its place: read models may be deleted at any time."""
        return self._database.still_exists()

    @abstractmethod
    def find_damage(self) -> list[str]:
        """Read all of it and return what the database finds damaged: nothing where all is in order."""

    def lacks_indexes(self) -> bool:
        """Whether indexes are missing: rows are first filled in without them, which takes less than keeping them up."""
        # Indexes are never dropped from read models that somebody has open.
        if not self._has_indexes:
            with self.snapshot() as connection:
                self._has_indexes = not self._missing_indexes(connection)
        return not self._has_indexes

    @abstractmethod
    def _missing_indexes(self, connection: Connection) -> list[str]:
        """Return the names of the indexes that are missing."""

    @abstractmethod
    def create_missing_indexes(self) -> None:
        """Create the indexes that are missing; whoever is interrupted in it leaves the others to the next one."""

    def share_build(self) -> str:
        """Let other processes write rows into this build, each in transactions of its own, until its position is set.

        Return the token that they must have; it is empty where only one process can write.
        """
        return ""

    @contextmanager
    def copied(self) -> "Iterator[ReadStore | None]":
        """Lend a copy of a build, without indexes of its own, and delete it at the end; None where there is no cheap one."""
        yield None

    def take_tables(self, copy: "ReadStore", tables: Iterable[Table]) -> None:
        """Fill some empty tables with the rows that a copy from ``copied`` has of them."""
        raise NotImplementedError

    @abstractmethod
    def finish_build(self) -> None:
        """Make a finished build durable and quick to read: sync it, and create its indexes."""

    def _create(self, connection: Connection) -> None:
        """Create missing tables, empty and at position 0, without indexes."""
        METADATA.create_all(connection)
        if connection.execute(select(PROGRESS.c.ledger)).first() is None:
            indexes_and_views.create_entries_view(connection)
            self._begin_at_0(connection)

    def _begin_at_0(self, connection: Connection) -> None:
        connection.execute(insert(PROGRESS).values(position=0, ledger=self.ledger_id, schema=SCHEMA, digest=NO_EVENT))

    def position(self, connection: Connection, log: Log) -> int:
        """Return the position of the last event that the read models know.

        The log is read afterwards, since others may record and catch up meanwhile. Raises ReadModelsUnusable if the read
        models belong to another ledger or version, or as long as the log has another event, or none, at their position;
        ReadModelsOutdated if that is an earlier version.
        """
        # All columns: the read models of earlier versions have fewer.
        found = connection.exec_driver_sql(f"SELECT * FROM {PROGRESS.name}").mappings().one()
        position: int = found["position"]
        cure = "; run `tringledger rebuild`"
        if found["ledger"] != self.ledger_id:
            reason = f"are those of ledger {found['ledger']}, not of {self.ledger_id}{cure}"
        elif found["schema"] < SCHEMA:
            msg = (
                f"the read models in {self.name} have schema {found['schema']}, and this version of tringledger has {SCHEMA}:"
                " a service rebuilds them by itself; without one, run `tringledger rebuild`"
            )
            raise ReadModelsOutdated(msg)
        elif found["schema"] > SCHEMA:
            reason = (
                f"have schema {found['schema']}, and this version of tringledger has {SCHEMA}: use the newer tringledger that"
                " made them, or run `tringledger rebuild`"
            )
        else:
            reason = name_mismatch(log, position, found["digest"])
        if reason:
            msg = f"the read models in {self.name} {reason}"
            raise ReadModelsUnusable(msg)
        return position

    def set_position(self, connection: Connection, position: int, digest: str) -> None:
        """Write the position of the read models, and the digest of the event there (see log_binding)."""
        connection.execute(update(PROGRESS).values(position=position, digest=digest))

    def close(self) -> None:
        """Close the database."""
        self._database.close()


class FollowerLock(Protocol):
    """The lock of the process that follows the log; the other processes are its standbys."""

    def acquire(self) -> bool:
        """Take the lock if it is free; whether it is held, as the database says each time. Raises StoreUnavailable."""

    def holder(self) -> str:
        """Return which other process has the lock, as the database names it; empty if none has, or none is named."""

    def wait(self, stopping: Event) -> None:
        """Wait until it is worthwhile to read the log again, or ``stopping`` is set."""

    def close(self) -> None:
        """Release the lock."""


class Generations(Protocol):
    """The generations of one ledger's read models in a database, alongside each other."""

    def open(self, generation: int, *, building: bool = False) -> ReadStore:
        """Open a generation, or create it, empty and at position 0; ``building`` is for one that is not read yet."""

    def clear(self, generation: int) -> None:
        """Make room for a generation that is to be built: delete what is in its place, if anything is."""

    def remove(self, generation: int) -> None:
        """Delete a generation, if it exists."""

    def remove_before(self, generation: int) -> None:
        """Delete all earlier generations, except those that are still being read."""

    def follower_lock(self) -> FollowerLock:
        """Return the lock that lets one process follow the log."""

    def rebuild_lock(self) -> AbstractContextManager[None]:
        """Exclude other rebuilds of this ledger; raises RebuildRunning. The lock ends with the process, however it ends."""
