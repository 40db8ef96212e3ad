"""Where users, sessions and the audit log are kept: next to the ledger, never in it, since they get deleted and pruned.

On SQLite this is the file ``<ledger file>.access.db``, readable by its owner only; on PostgreSQL the schema
``tringledger_access`` of the ledger's database. The first process that needs it creates it.
"""

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection, insert, select

from api.web.auth.tables import FACTS, METADATA, RECORDS, SCHEMA
from api.web.auth.tokens import SIZE_BYTES, KeyedDigest
from domain.errors import StoreUnavailable
from domain.log import urls
from domain.private_files import make_private
from projections.stores.database import Database, unavailable
from projections.stores.postgres_engine import ONLY_ONE
from projections.stores.postgres_rights import ALL, APPEND, Right, rights_on
from projections.stores.postgres_schema import PostgresSchema
from projections.stores.sqlite_file import SQLiteFile

CONTENTS = "the users and the audit log"
PG_SCHEMA = "tringledger_access"
# The second number of the advisory lock; the read models use others.
ACCESS = 11
# A service may lose its last second of log and sign-outs in a power cut; a command's changes may not be lost.
QUICK, DURABLE = "NORMAL", "FULL"
# What a service needs of this schema in PostgreSQL. Its log of accesses is pruned, and never changed.
SERVICE_RIGHTS = (
    Right("SCHEMA", PG_SCHEMA, ("USAGE",)),
    *rights_on(PG_SCHEMA, APPEND, "facts"),
    *rights_on(PG_SCHEMA, ALL, "users", "sessions", "links", "attempts"),
    *rights_on(PG_SCHEMA, (*APPEND, "DELETE"), "records"),
    *(Right("SEQUENCE", f"{PG_SCHEMA}.{table}_id_seq", ("USAGE",)) for table in ("attempts", "records")),
)


class AccessStore:
    """An open access store; ``name`` is its name in messages. Methods raise StoreUnavailable."""

    def __init__(self, database: Database, make: Callable[[Connection], None]) -> None:
        """Use a database, in which ``make`` creates what is missing."""
        self.name = database.name
        self._database = database
        try:
            with self.exclusive() as connection:
                make(connection)
                self.sealer = KeyedDigest(bytes.fromhex(self._key(connection)))
        except BaseException:
            self.close()
            raise

    def _key(self, connection: Connection) -> str:
        facts: dict[str, str] = {row.name: row.value for row in connection.execute(select(FACTS))}
        if not facts:
            facts = {"schema": SCHEMA, "key": secrets.token_bytes(SIZE_BYTES).hex()}
            connection.execute(insert(FACTS), [{"name": name, "value": value} for name, value in facts.items()])
        if facts["schema"] != SCHEMA:
            msg = f"{self.name} has schema {facts['schema']}, and this version of tringledger has {SCHEMA}"
            raise StoreUnavailable(msg)
        return facts["key"]

    def exclusive(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that excludes every other such transaction, and commit it at the end."""
        return self._database.writing()

    def append(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that only adds rows, at the same time as others of its kind, and commit it at the end."""
        return self._database.adding()

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that reads."""
        return self._database.reading()

    def still_exists(self) -> bool:
        """Whether the opened store still exists at its place."""
        return self._database.still_exists()

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _open_sqlite(path: Path, synchronous: str) -> AccessStore:
    try:
        # SQLite gives its -wal and -shm files the same permissions.
        make_private(path)
    except OSError as error:
        msg = f"{CONTENTS} in {path} cannot be used now: {error.strerror}"
        raise StoreUnavailable(msg) from error
    file = SQLiteFile(path, f"PRAGMA synchronous={synchronous}", unavailable(CONTENTS))
    return AccessStore(file, METADATA.create_all)


def _open_postgres(url: str, synchronous: str) -> AccessStore:
    commit = f"SET synchronous_commit = {'on' if synchronous == DURABLE else 'off'}"
    lock = (ONLY_ONE, ACCESS)
    schema = PostgresSchema(url, PG_SCHEMA, RECORDS.name, unavailable(CONTENTS), commit, lock=lock)

    return AccessStore(schema, lambda connection: _make_postgres(schema, connection))


def _make_postgres(schema: PostgresSchema, connection: Connection) -> None:
    if not schema.find(connection):
        schema.create(connection)
        METADATA.create_all(connection)


def make_access_schema(url: str) -> None:
    """Make the schema and its empty tables in the PostgreSQL database at a URL, where they are missing."""
    schema = PostgresSchema(url, PG_SCHEMA, RECORDS.name, unavailable(CONTENTS), lock=(ONLY_ONE, ACCESS))
    try:
        with schema.writing() as connection:
            _make_postgres(schema, connection)
    finally:
        schema.close()


def access_path(ledger: Path) -> Path:
    """Return the file of the access store of a ledger in a SQLite file."""
    return ledger.with_name(f"{ledger.name}.access.db")


def open_access_file(path: Path) -> AccessStore:
    """Open or create an access store in a file; each change waits for the disk."""
    return _open_sqlite(path, DURABLE)


def exists(url: str) -> bool:
    """Whether the ledger at a URL has an access store; nothing is created."""
    if not urls.is_postgres(url):
        return access_path(Path(urls.sqlite_path(url))).exists()
    schema = PostgresSchema(url, PG_SCHEMA, RECORDS.name, unavailable(CONTENTS), lock=None)
    try:
        with schema.reading() as connection:
            return schema.find(connection) is not None and connection.execute(select(FACTS)).first() is not None
    finally:
        schema.close()


def open_access_store(url: str, *, durable: bool) -> AccessStore:
    """Open or create the access store of the ledger at a URL; ``durable`` waits for the disk on each change."""
    synchronous = DURABLE if durable else QUICK
    if urls.is_postgres(url):
        return _open_postgres(url, synchronous)
    ledger = Path(urls.sqlite_path(url))
    return _open_sqlite(access_path(ledger), synchronous)
