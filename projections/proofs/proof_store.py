"""Where the proof tree is kept: apart from the log, so that it shares no writer's lock with intake.

On SQLite that is the file `<ledger file>.proofs.db`, on PostgreSQL the schema `tringledger_proofs` of the ledger's database.
A log restored without its proofs is found out just because they are apart.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from domain.errors import LedgerError, StoreUnavailable
from domain.log import urls
from projections.proofs.proof_tables import CHECKPOINTS, METADATA, SCHEMA
from projections.proofs.tree_rows import TreeRows
from projections.stores import postgres_engine, sqlite
from projections.stores.base import LOCK_TIMEOUT_SECONDS, driver_message

PG_SCHEMA = "tringledger_proofs"
# The second number of an advisory lock's name, beside those of the read models and of the access store.
PROOFS = 12
_FIRST_EPOCH = "1"


class ForeignProofs(LedgerError):
    """The proofs at hand are another ledger's, or have a schema that this version does not know."""


class ProofStore(ABC):
    """The open store of one ledger's proof tree; ``name`` is what messages call it. Methods raise StoreUnavailable."""

    def __init__(self, engine: Engine, name: str, ledger_id: str) -> None:
        """Use an engine; `make` or `find` comes before all else."""
        self.name = name
        self.ledger_id = ledger_id
        self._engine = engine

    def make(self) -> None:
        """Make the tree's tables where they are missing; raises ForeignProofs where they hold another ledger's tree."""
        with self.writing() as rows:
            self._make(rows.connection)
            facts = rows.facts()
            if not facts:
                facts = {"schema": SCHEMA, "ledger": self.ledger_id, "epoch": _FIRST_EPOCH, "size": "0"}
                rows.note(facts)
            self._check(facts)

    def find(self) -> bool:
        """Whether there is a tree; nothing is made. Raises ForeignProofs where it is another ledger's."""
        with self.reading() as rows:
            if not self._exists(rows.connection):
                return False
            self._check(rows.facts())
        return True

    def _check(self, facts: Mapping[str, str]) -> None:
        for name, expected in (("schema", SCHEMA), ("ledger", self.ledger_id)):
            if facts[name] != expected:
                msg = f"the proofs in {self.name} are of {name} {facts[name]}; expected {expected}"
                raise ForeignProofs(msg)

    @contextmanager
    def writing(self) -> Iterator[TreeRows]:
        """Begin the one transaction that changes the tree at a time, and commit it durably at the end."""
        with self._connected(self._begin_writing) as connection:
            yield TreeRows(connection)
            self._check_in_place()
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[TreeRows]:
        """Begin a transaction that sees the tree as it is at one moment."""
        with self._connected(self._begin_reading) as connection:
            yield TreeRows(connection)

    @contextmanager
    def _connected(self, begin: Callable[[Connection], object]) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                begin(connection)
                yield connection
        except (DBAPIError, OSError, self._engine.dialect.loaded_dbapi.Error) as error:
            msg = f"the proofs in {self.name} cannot be used now: {driver_message(error)}"
            raise StoreUnavailable(msg) from error

    def _make(self, connection: Connection) -> None:
        METADATA.create_all(connection)

    @abstractmethod
    def _exists(self, connection: Connection) -> bool: ...

    @abstractmethod
    def _begin_writing(self, connection: Connection) -> None: ...

    @abstractmethod
    def _begin_reading(self, connection: Connection) -> None: ...

    def _check_in_place(self) -> None:
        if not self.is_in_place():
            msg = f"the proofs in {self.name} were moved, deleted or replaced while they were open"
            raise StoreUnavailable(msg)

    @abstractmethod
    def is_in_place(self) -> bool:
        """Whether what was opened still stands where it did."""

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


class SQLiteProofStore(ProofStore):
    """A file beside the ledger's."""

    def __init__(self, path: Path, ledger_id: str) -> None:
        """Use the file at a path."""
        self._path = path
        self._inode = 0
        super().__init__(sqlite.sqlite_engine(path, "PRAGMA synchronous=FULL"), str(path), ledger_id)

    def find(self) -> bool:  # noqa: D102 - opening the file would make it
        return self._path.exists() and super().find()

    def _exists(self, connection: Connection) -> bool:
        return inspect(connection).has_table(CHECKPOINTS.name)

    def _begin_writing(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        self._inode = self._inode or self._path.stat().st_ino

    def _begin_reading(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")
        self._inode = self._inode or self._path.stat().st_ino

    def is_in_place(self) -> bool:  # noqa: D102
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


class PostgresProofStore(ProofStore):
    """A schema of the ledger's database."""

    def __init__(self, url: str, ledger_id: str) -> None:
        """Use the schema of the database at a URL."""
        engine = postgres_engine.postgres_engine(
            url,
            f"SET search_path TO {PG_SCHEMA}",
            f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'",
            "SET synchronous_commit = on",
            pool_pre_ping=True,
        )
        super().__init__(engine, f"schema {PG_SCHEMA}", ledger_id)

    def _make(self, connection: Connection) -> None:
        if not self._exists(connection):
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {PG_SCHEMA}")
            super()._make(connection)

    def _exists(self, connection: Connection) -> bool:
        return exists_in_postgres(connection)

    def _begin_writing(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgres_engine.ONLY_ONE}, {PROOFS})")

    def _begin_reading(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def is_in_place(self) -> bool:  # noqa: D102 - a schema that is gone is told by the statement that misses it
        return True


def exists_in_postgres(connection: Connection) -> bool:
    """Whether the schema of the proofs is there with its tables: a role that may only read need not make it."""
    found = connection.exec_driver_sql(f"SELECT to_regclass('{PG_SCHEMA}.checkpoints')").scalar_one()
    return found is not None


def path_beside(ledger: Path) -> Path:
    """Return the file of the proofs of a ledger in a SQLite file."""
    return ledger.with_name(f"{ledger.name}.proofs.db")


def open_proofs(url: str, ledger_id: str) -> ProofStore:
    """Open the proofs of the ledger at a store's URL, or make them; raises ForeignProofs, StoreUnavailable."""
    store = _store(url, ledger_id)
    with ExitStack() as stack:
        stack.callback(store.close)
        store.make()
        stack.pop_all()
    return store


def find_proofs(url: str, ledger_id: str) -> ProofStore | None:
    """Open the proofs of a ledger; None where there are none yet. Raises ForeignProofs, StoreUnavailable."""
    store = _store(url, ledger_id)
    with ExitStack() as stack:
        stack.callback(store.close)
        if not store.find():
            return None
        stack.pop_all()
    return store


def _store(url: str, ledger_id: str) -> ProofStore:
    if urls.is_postgres(url):
        return PostgresProofStore(url, ledger_id)
    return SQLiteProofStore(path_beside(Path(urls.sqlite_path(url))), ledger_id)
