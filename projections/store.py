"""Where the read models live: on SQLite in a file beside the log, so that no reader shares a lock with intake.

The file carries a generation in its name, and the ledger knows which one is current: a rebuild makes the next one and
then changes that one fact, so that readers never wait and never see half of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from domain.errors import LedgerError, StoreUnavailable
from domain.ledger import Ledger
from domain.log.sqlite import prepare
from projections.tables import METADATA, PROGRESS, SCHEMA

GENERATION = "read_models"
LOCK_TIMEOUT_SECONDS = 30

# A read model that loses its last second in a power cut catches it up again: its commits need not wait for the disk.
LIVE = "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192"
BUILDING = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384"


class ReadModelsUnfit(LedgerError):
    """The read models at hand are another ledger's, another version's, or ahead of the log: they must be rebuilt."""


class ReadStore:
    """One generation of a ledger's read models."""

    def __init__(self, path: Path, ledger_id: str, *, building: bool = False) -> None:
        """Open the file, or make it, empty and at position 0; ``building`` is for one that nobody reads yet."""
        self.path = path
        self.ledger_id = ledger_id
        self._engine = _engine(path, BUILDING if building else LIVE)
        with self.writing() as connection:
            METADATA.create_all(connection)
            if connection.execute(select(PROGRESS)).first() is None:
                connection.execute(insert(PROGRESS).values(position=0, ledger=ledger_id, schema=SCHEMA))
        self._inode = path.stat().st_ino

    def is_in_place(self) -> bool:
        """Whether the file that was opened still stands where it did: read models may be deleted at any time."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that nobody else writes beside, and commit it at the end."""
        with self._connected("BEGIN IMMEDIATE") as connection:
            yield connection
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a transaction that sees the read models as they are at one position, whoever writes meanwhile."""
        with self._connected("BEGIN") as connection:
            yield connection

    @contextmanager
    def _connected(self, begin: str) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
        except DBAPIError as error:
            msg = f"the read models in {self.path} cannot be used now: {error.orig}"
            raise StoreUnavailable(msg) from error

    def position(self, connection: Connection, head: Callable[[], int] | None = None) -> int:
        """Return the position of the last event that the read models know.

        ``head`` tells the log's head; it is asked afterwards, since others may record and catch up meanwhile. Raises
        ReadModelsUnfit where the read models are another ledger's or version's, or ahead of that head.
        """
        position, ledger, schema = connection.execute(select(PROGRESS)).one()
        found: int = position
        reason = ""
        if ledger != self.ledger_id:
            reason = f"are those of ledger {ledger}, not of {self.ledger_id}"
        elif schema != SCHEMA:
            reason = f"have schema {schema}, and this version of tringledger has {SCHEMA}"
        elif head is not None and found > (last := head()):
            reason = f"are at position {found}, ahead of the log's head {last}: was the log restored from a copy?"
        if reason:
            msg = f"the read models in {self.path} {reason}; run `tringledger rebuild`"
            raise ReadModelsUnfit(msg)
        return found

    def move_to(self, connection: Connection, position: int) -> None:
        """Note how far the read models have come."""
        connection.execute(update(PROGRESS).values(position=position))

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def _engine(path: Path, pragmas: str) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": LOCK_TIMEOUT_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Transactions are begun by hand: a writer must lock before it reads.
        connection.isolation_level = None
        if pragmas == BUILDING:
            connection.executescript(pragmas)
        else:
            prepare(connection, pragmas)

    return engine


def path_of(ledger: Ledger, generation: int) -> Path:
    """Return the file of a generation of a ledger's read models."""
    log = Path(ledger.path)
    return log.with_name(f"{log.stem}.read-{generation}.db")


def generation_of(ledger: Ledger) -> int:
    """Return the current generation of a ledger's read models."""
    return int(ledger.store.facts().get(GENERATION, "1"))


def open_current(ledger: Ledger) -> ReadStore:
    """Open a ledger's current read models; where there are none yet, they begin at position 0."""
    while True:
        generation = generation_of(ledger)
        store = ReadStore(path_of(ledger, generation), ledger.id)
        if generation == generation_of(ledger):
            return store
        # A rebuild swapped between the two looks; what we may have made anew is nobody's.
        store.close()
        remove(store.path)


def remove(path: Path) -> None:
    """Delete a generation's files; who still reads them may go on."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
