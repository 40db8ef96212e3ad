"""The stores of a round: a SQLite file, in a folder that can be made too small, or a database behind a network of the test's own."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.ledger_databases import make_ledger
from tests.support.postgres_server import Postgres
from tests.support.tcp_proxy import Network, network

SQLITE, POSTGRES = "sqlite", "postgres"
LARGE = "256m"


class SoakStore(NamedTuple):
    """The address of a ledger, the folder of its file, and what is between a service and a database."""

    kind: str
    url: str
    folder: Path
    way: Network | None = None
    server: Postgres | None = None


@contextmanager
def new_store(kind: str, folder: Path, server: Postgres | None) -> Iterator[SoakStore]:
    """Give a store without a ledger, or in a database with an empty one; it is gone at the end."""
    place = folder / "store"
    place.mkdir()
    with ExitStack() as stack:
        if server is None:
            yield SoakStore(kind, f"sqlite:///{place}/ledger.db", place)
            return
        url = stack.enter_context(server.copy_of("soak", make_ledger))
        way = stack.enter_context(network(server.directory / ".s.PGSQL.5432"))
        name = server.name_of(url)
        shown = f"postgresql://postgres@127.0.0.1:{way.port}/{name}?sslmode=disable"
        yield SoakStore(kind, shown, place, way, server)


class SmallDisk:
    """A folder with little room: a file system in memory, or where that cannot be mounted a limit of a file's size."""

    def __init__(self, folder: Path, kilobytes: int) -> None:
        """Make the folder small."""
        self._folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
        self.is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._kilobytes = kilobytes

    def limit_process(self, process: int) -> None:
        """Keep a process from writing larger files, where the folder itself is not small."""
        if not self.is_mounted:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (self._kilobytes * 1024, self._limits[1]))

    def grow(self, *processes: int) -> None:
        """Give room again."""
        if self.is_mounted:
            command = ["mount", "-o", f"remount,size={LARGE}", str(self._folder)]
            subprocess.run(command, capture_output=True, check=True)
        for process in processes if not self.is_mounted else ():
            resource.prlimit(process, resource.RLIMIT_FSIZE, self._limits)

    def close(self) -> None:
        """Take the file system down, with what is in it."""
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self._folder)], check=True)


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started and that run, with theirs."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            text = (task / "children").read_text()
            found += [int(child) for child in text.split()]
    except OSError:
        return found
    return found + [each for child in found for each in children_of(child)]
