"""The read models as they were at an earlier position of the log, built in a temporary file.

They are folded from the log up to that position by the same code as a rebuild, into a SQLite file without a name, whichever
database the log is in: the system deletes it when the process ends, however it ends. For many requests they are built in a
file with a name. The live read models are neither read nor written.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, StaticPool, Table, column, create_engine, table

from domain.ledger import Ledger
from projections.building.billing_totals import fill_billing, sums_of_cdrs
from projections.building.catch_up import may_be_within_undo
from projections.building.full_build import Progress, fill_rows, silent
from projections.building.partitions import SEQUENTIAL, FoldStrategy
from projections.building.process_pool import ProcessFolding
from projections.building.rollup_differences import fill_rollups
from projections.building.row_images import ImageTable, attach_part, move_rows
from projections.rows.cdrs import CdrRow
from projections.rows.entry import Entry
from projections.rows.projector import RowBatch, as_tuples
from projections.schema.read_models import BY_NAME, READ_MODELS
from projections.schema.tables import BILLING_DAYS, CALLS, CDRS
from projections.stores.base import ReadStore, refuse_read_models
from projections.stores.database import Database
from projections.stores.log_binding import digest_at
from projections.stores.sqlite import SQLiteReadStore
from projections.stores.upsert import append_rows, put_rows

SUMS = "sums_of_cdrs"  # A table that has, for each part of the log, what its CDRs add to billing.
UNNAMED = ""  # SQLite's name for a temporary file.
# The build need not survive its process. What exceeds the cache is written to the file.
PRAGMAS = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384"


def kinds_of(model: str) -> frozenset[type]:
    """Return the classes of the rows that fill a read model; entries, and billing as their sum, are CDRs and postings."""
    found = BY_NAME[model]
    return frozenset({found.row}) if found.row and found.is_stored else frozenset({CdrRow, Entry})


@contextmanager
def open_as_of(
    ledger: Ledger, position: int, progress: Progress = silent, folding: FoldStrategy = SEQUENTIAL
) -> Iterator[ReadStore]:
    """Build the read models as they were at a position of the log, and drop them at the end.

    ``progress`` is called with the number of events done and of all. Raises ProjectionStopped, StoreUnavailable (if there is
    no room for the temporary file, for instance), and what ``folding`` raises.
    """
    with closing(TemporaryReadStore(ledger, position)) as store:
        with store.transaction() as connection:
            ways = store.with_images(folding)
            fill_rows(connection, ledger, position, progress, ways, write=store.write)
            store.fill_billing(connection)
            store.set_position(connection, position, digest_at(ledger.store, position))
        yield store


def build_as_of_file(
    ledger: Ledger, position: int, path: Path, progress: Progress = silent, folding: FoldStrategy = SEQUENTIAL
) -> None:
    """Build the read models as they were at a position of the log in a new file, with their indexes.

    It is for readers of many requests, and whoever wants it deletes it. Raises what ``open_as_of`` raises.
    """
    with closing(SQLiteReadStore(path, 0, ledger.id, building=True)) as store:
        with store.transaction() as connection:
            fill_rows(connection, ledger, position, progress, folding, folder=store.folder)
            fill_billing(connection)
            fill_rollups(connection, ledger.timezone)
            store.set_position(connection, position, digest_at(ledger.store, position))
        store.finish_build()


def open_as_of_file(ledger: Ledger, path: Path) -> ReadStore:
    """Open what ``build_as_of_file`` made."""
    return SQLiteReadStore(path, 0, ledger.id)


class TemporaryReadStore(ReadStore):
    """Read models that only this process knows.

    The two large tables have no key where none is needed: they are read from end to end, and rows that come in the order of
    calls' ids cost a fraction in a table that keeps them as they come.
    """

    def __init__(self, ledger: Ledger, position: int) -> None:
        """Create an empty store for the read models of a ledger as of a position."""
        super().__init__(_TemporaryFile(f"a temporary file, as of position {position},"), 0, ledger.id)
        self._without_key = () if _may_repeat_keys(ledger, position) else (CALLS, CDRS)
        with self.transaction() as connection:
            self._images = [_image_table(connection, table) for table in self._without_key]
            if self._images:
                self._images.append(_sums_table(connection))
            for table in self._images:
                connection.exec_driver_sql(table.definition)
            self._create(connection)
        self._are_summed = bool(self._images)

    def with_images(self, folding: FoldStrategy) -> FoldStrategy:
        """Return a way of folding whose processes, if it has others, send the rows of the large tables as images."""
        return folding.sending_images(self._images) if isinstance(folding, ProcessFolding) else folding

    def write(self, connection: Connection, batch: RowBatch) -> None:
        """Write the rows of a part of the log; each part is written once."""
        if batch.image:
            driver: Any = connection.connection.driver_connection
            move_rows(driver, batch, self._images)
        elif batch.rows.get(CdrRow):
            self._are_summed = False
        for model in READ_MODELS:
            if model.row and model.is_stored:
                write_rows = append_rows if model.table in self._without_key else put_rows
                write_rows(connection, model.table, as_tuples(batch.rows.get(model.row, ())))

    def fill_billing(self, connection: Connection) -> None:
        """Fill billing from all entries, or from the sums of CDRs where all came with theirs; raises SumTooLarge."""
        fill_billing(connection, table(SUMS, *map(column, BILLING_DAYS.c.keys())) if self._are_summed else None)

    def find_damage(self) -> list[str]:
        """Return nothing: the file was made a moment ago."""
        return []

    def note_growth(self, connection: Connection, before: int, position: int) -> None:
        """Do nothing: the file is built once."""

    def _missing_indexes(self, _connection: Connection) -> list[str]:
        return []  # It is read from end to end.

    def create_missing_indexes(self) -> None:
        """Do nothing: none are missing."""

    def finish_build(self) -> None:
        """Do nothing: the file ends with its connection."""


def _image_table(connection: Connection, table: Table) -> ImageTable:
    return ImageTable(BY_NAME[table.name].row, table.name, _declared(connection, table))


def _sums_table(connection: Connection) -> ImageTable:
    select = sums_of_cdrs().compile(connection, compile_kwargs={"literal_binds": True})
    return ImageTable(None, SUMS, _declared(connection, BILLING_DAYS), str(select))


def _declared(connection: Connection, table: Table) -> tuple[str, ...]:
    return tuple(f"{column.name} {column.type.compile(connection.dialect)}" for column in table.columns)


def _may_repeat_keys(ledger: Ledger, position: int) -> bool:
    """Whether two rows may have one key: those of two calls that have the same notice."""
    return any(map(may_be_within_undo, ledger.events_at([position] if position else [])))


class _TemporaryFile(Database):
    """A file without a name, over one connection: it is that connection's own."""

    def __init__(self, name: str) -> None:
        engine = create_engine("sqlite://", hide_parameters=True, creator=_connect, poolclass=StaticPool)
        super().__init__(engine, name, refuse_read_models)

    def _begin_writing(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def _begin_reading(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def still_exists(self) -> bool:
        return True


def _connect() -> sqlite3.Connection:
    # Transactions are begun by hand, as for every read store. An export reads in a thread, which has it for itself meanwhile.
    connection = sqlite3.connect(UNNAMED, isolation_level=None, check_same_thread=False)
    connection.executescript(PRAGMAS)
    attach_part(connection)
    return connection
