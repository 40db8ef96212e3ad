"""Where the proof tree is kept: apart from the log, so that it shares no writer's lock with intake.

On SQLite that is the file `<ledger file>.proofs.db`, on PostgreSQL the schema `tringledger_proofs` of the ledger's database.
A log that was restored without its proofs is detected because they are apart.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect

from domain.errors import LedgerError, StoreUnavailable
from domain.log import urls
from projections.proofs.proof_tables import CHECKPOINTS, METADATA, SCHEMA
from projections.proofs.tree_rows import TreeRows
from projections.stores.database import Database, unavailable
from projections.stores.postgres_engine import ONLY_ONE
from projections.stores.postgres_rights import ALL, CHANGE, READ, Right, rights_on
from projections.stores.postgres_schema import PostgresSchema
from projections.stores.sqlite_file import SQLiteFile

CONTENTS = "the proofs"
PG_SCHEMA = "tringledger_proofs"
# The second number of an advisory lock's name, next to those of the read models and of the access store.
PROOFS = 12
_FIRST_EPOCH = "1"
# What a service, and a reader, need of this schema in PostgreSQL. Checkpoints are thinned out as they get old.
SERVICE_RIGHTS = (
    Right("SCHEMA", PG_SCHEMA, ("USAGE",)),
    *rights_on(PG_SCHEMA, CHANGE, "facts", "tiles"),
    *rights_on(PG_SCHEMA, ALL, "checkpoints"),
)
READER_RIGHTS = (Right("SCHEMA", PG_SCHEMA, ("USAGE",)), *rights_on(PG_SCHEMA, READ, *METADATA.tables))


class ForeignProofs(LedgerError):
    """The proofs belong to another ledger, or have a schema that this version does not know."""


class ProofStore:
    """The open store of one ledger's proof tree; ``name`` is its name in messages. Methods raise StoreUnavailable."""

    def __init__(self, database: Database, ledger_id: str) -> None:
        """Use a database; call ``make`` or ``find`` before anything else."""
        self.name = database.name
        self.ledger_id = ledger_id
        self._database = database

    def make(self) -> None:
        """Create the tree's tables if they are missing; raises ForeignProofs if they hold another ledger's tree."""
        with self.writing() as rows:
            self._make(rows.connection)
            facts = rows.facts()
            if not facts:
                facts = {"schema": SCHEMA, "ledger": self.ledger_id, "epoch": _FIRST_EPOCH, "size": "0"}
                rows.note(facts)
            self._check(facts)

    def remake(self) -> None:
        """Make the tree's tables anew, empty, whatever they held."""
        with self.writing() as rows:
            METADATA.drop_all(rows.connection)
            self._make(rows.connection)
            rows.note({"schema": SCHEMA, "ledger": self.ledger_id, "epoch": _FIRST_EPOCH, "size": "0"})

    def find(self) -> bool:
        """Whether there is a tree; creates nothing. Raises ForeignProofs if it is another ledger's."""
        with self.reading() as rows:
            if not self._exists(rows.connection):
                return False
            facts = rows.facts()
            if not facts:
                return False  # Only the tables are there.
            self._check(facts)
        return True

    def _check(self, facts: Mapping[str, str]) -> None:
        for name, expected in (("schema", SCHEMA), ("ledger", self.ledger_id)):
            if facts[name] != expected:
                msg = f"the proofs in {self.name} are of {name} {facts[name]}; expected {expected}"
                raise ForeignProofs(msg)

    @contextmanager
    def writing(self) -> Iterator[TreeRows]:
        """Begin the one transaction that changes the tree at a time, and commit it durably at the end."""
        with self._database.writing() as connection:
            yield TreeRows(connection)
            if not self.still_exists():
                msg = f"{CONTENTS} in {self.name} were moved, deleted or replaced while they were open"
                raise StoreUnavailable(msg)

    @contextmanager
    def reading(self) -> Iterator[TreeRows]:
        """Begin a transaction that sees the tree as it is at one moment."""
        with self._database.reading() as connection:
            yield TreeRows(connection)

    def make_tables(self) -> None:
        """Create the tables if they are missing, and no tree."""
        with self.writing() as rows:
            self._make(rows.connection)

    def still_exists(self) -> bool:
        """Whether the opened store still exists at its place."""
        return self._database.still_exists()

    def _make(self, connection: Connection) -> None:
        METADATA.create_all(connection)

    def _exists(self, connection: Connection) -> bool:
        return inspect(connection).has_table(CHECKPOINTS.name)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


class SQLiteProofStore(ProofStore):
    """A file next to the ledger's."""

    def __init__(self, path: Path, ledger_id: str) -> None:
        """Use the file at a path."""
        self._path = path
        super().__init__(SQLiteFile(path, "PRAGMA synchronous=FULL", unavailable(CONTENTS)), ledger_id)

    def find(self) -> bool:
        """Whether there is a tree; opening the file would create it, so it is looked for first."""
        return self._path.exists() and super().find()


class PostgresProofStore(ProofStore):
    """A schema of the ledger's database."""

    def __init__(self, url: str, ledger_id: str) -> None:
        """Use the schema of the database at a URL."""
        commit, lock = "SET synchronous_commit = on", (ONLY_ONE, PROOFS)
        self._schema = PostgresSchema(url, PG_SCHEMA, CHECKPOINTS.name, unavailable(CONTENTS), commit, lock=lock)
        super().__init__(self._schema, ledger_id)

    def _make(self, connection: Connection) -> None:
        if not self._exists(connection):
            self._schema.create(connection)
            super()._make(connection)

    def _exists(self, connection: Connection) -> bool:
        # Asked of the catalogue: a role that may only read need not be able to create the schema.
        return self._schema.find(connection) is not None


def path_beside(ledger: Path) -> Path:
    """Return the file of the proofs of a ledger in a SQLite file."""
    return ledger.with_name(f"{ledger.name}.proofs.db")


def open_proofs(url: str, ledger_id: str) -> ProofStore:
    """Open the proofs of the ledger at a store's URL, or create them; raises ForeignProofs, StoreUnavailable."""
    store = _store(url, ledger_id)
    with ExitStack() as stack:
        stack.callback(store.close)
        store.make()
        stack.pop_all()
    return store


def make_proofs_schema(url: str, ledger_id: str) -> None:
    """Make the empty tables of the proofs at a store's URL, where they are missing; raises StoreUnavailable."""
    store = _store(url, ledger_id)
    try:
        store.make_tables()
    finally:
        store.close()


def remake_proofs(url: str, ledger_id: str) -> ProofStore:
    """Open the proofs at a store's URL and empty them, for a copy or a restore to fill; raises StoreUnavailable."""
    store = _store(url, ledger_id)
    with ExitStack() as stack:
        stack.callback(store.close)
        store.remake()
        stack.pop_all()
    return store


def find_proofs(url: str, ledger_id: str) -> ProofStore | None:
    """Open the proofs of a ledger; None if there are none yet. Raises ForeignProofs, StoreUnavailable."""
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
