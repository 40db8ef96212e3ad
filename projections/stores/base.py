"""Where the read models live, in whatever database: one generation of them, and what a database must offer.

What is the same everywhere stands here; what differs stands in one file per database.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from threading import Event
from typing import Protocol

from sqlalchemy import Connection, insert, select, update

from domain.errors import LedgerError, Unavailable
from domain.log.contract import Log
from projections.schema import creation
from projections.schema.tables import METADATA, PROGRESS, SCHEMA
from projections.stores.database import Database, driver_message, is_damage, unavailable
from projections.stores.log_binding import NO_EVENT, name_mismatch


class ReadModelsUnusable(LedgerError):
    """The read models at hand are another ledger's, another log's or another version's: they must not be used."""


class ReadModelsCorrupt(ReadModelsUnusable):
    """The database found the read models damaged: they must be rebuilt."""


class RebuildRunning(Unavailable):
    """Another rebuild of the same ledger is under way."""


def refuse_read_models(name: str, error: BaseException) -> LedgerError:
    """Return what is raised where the database of read models fails: ReadModelsCorrupt or StoreUnavailable."""
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

    def transaction(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that excludes other writers, and commit it at the end; raises StoreUnavailable."""
        return self._database.writing()

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that sees the read models as they are at one position; raises StoreUnavailable."""
        return self._database.reading()

    def still_exists(self) -> bool:
        """Whether the opened generation still exists at its place: read models may be deleted at any time."""
        return self._database.still_exists()

    @abstractmethod
    def finish_build(self) -> None:
        """Make what was built in haste safe to rely on and quick to read."""

    def _create(self, connection: Connection, *, indexed: bool) -> None:
        """Make the tables where they are missing, empty and at position 0, and the indexes unless they come later."""
        METADATA.create_all(connection)
        if connection.execute(select(PROGRESS.c.ledger)).first() is None:
            creation.create_entries_view(connection)
            if indexed:
                creation.create_indexes(connection)
            connection.execute(
                insert(PROGRESS).values(position=0, ledger=self.ledger_id, schema=SCHEMA, digest=NO_EVENT)
            )

    def position(self, connection: Connection, log: Log) -> int:
        """Return the position of the last event that the read models know.

        The log is asked afterwards, since others may record and catch up meanwhile. Raises ReadModelsUnusable where the
        read models are another ledger's or version's, or the log has another event, or none, at their position: for as
        long as that is so, however far the log has grown.
        """
        # All columns that there are: the read models of earlier versions have fewer.
        found = connection.exec_driver_sql(f"SELECT * FROM {PROGRESS.name}").mappings().one()
        position: int = found["position"]
        cure = "; run `tringledger rebuild`"
        if found["ledger"] != self.ledger_id:
            reason = f"are those of ledger {found['ledger']}, not of {self.ledger_id}{cure}"
        elif found["schema"] != SCHEMA:
            reason = f"have schema {found['schema']}, and this version of tringledger has {SCHEMA}{cure}"
        else:
            reason = name_mismatch(log, position, found["digest"])
        if reason:
            msg = f"the read models in {self.name} {reason}"
            raise ReadModelsUnusable(msg)
        return position

    def set_position(self, connection: Connection, position: int, digest: str) -> None:
        """Note how far the read models have come, and the digest of the event there (see log_binding)."""
        connection.execute(update(PROGRESS).values(position=position, digest=digest))

    def close(self) -> None:
        """Close the database."""
        self._database.close()


class FollowerLock(Protocol):
    """Whose turn it is to keep the read models: of all that would follow a log, one does, and the others stand by."""

    def acquire(self) -> bool:
        """Take the turn where nobody has it; whether it is ours, asked of the database each time."""

    def wait(self, stopping: Event) -> None:
        """Wait a moment, at most until told to stop, after which it is worth while to look at the log again."""

    def close(self) -> None:
        """Give the turn up."""


class Generations(Protocol):
    """What a database offers: generations of one ledger's read models, side by side."""

    def open(self, generation: int, *, building: bool = False) -> ReadStore:
        """Open a generation, or make it, empty and at position 0; ``building`` is for one that nobody reads yet."""

    def remove(self, generation: int) -> None:
        """Delete a generation, if it is there."""

    def remove_before(self, generation: int) -> None:
        """Delete all earlier generations, but never under who still reads them."""

    def follower_lock(self) -> FollowerLock:
        """Return what tells followers apart."""

    def rebuild_lock(self) -> AbstractContextManager[None]:
        """Keep other rebuilds of this ledger out; raises RebuildRunning. The lock goes with the process, however it ends."""
