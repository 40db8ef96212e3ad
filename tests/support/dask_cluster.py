"""A Dask cluster for tests and benchmarks: a scheduler and workers as processes of their own, on this machine only."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

START_SECONDS_MAX = 60
LOCAL = ("--host", "127.0.0.1", "--no-dashboard")


class DaskCluster:
    """A scheduler that is up, and its workers."""

    def __init__(self, directory: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._directory = directory
        self._log = (directory / "dask.log").open("ab")
        self.workers: list[subprocess.Popen[bytes]] = []
        port = self.address.rpartition(":")[2]
        self.scheduler = self._started("dask_scheduler", "--port", port, *LOCAL)

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start one more worker: a process, not minded by another that would start it anew."""
        alone = ("--nworkers", "1", "--nthreads", "1", "--no-nanny", "--local-directory", str(self._directory))
        self.workers.append(self._started("dask_worker", self.address, *alone, *LOCAL))
        return self.workers[-1]

    def _started(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        # In a directory of its own: a worker knows nothing of where the command was typed.
        command = [sys.executable, "-P", "-m", f"distributed.cli.{module}", *arguments]
        return subprocess.Popen(command, cwd=self._directory, stdout=self._log, stderr=self._log)

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers have joined."""
        log, deadline = self._directory / "dask.log", time.monotonic() + START_SECONDS_MAX
        while log.read_bytes().count(b"Register worker") < count:
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()


@contextmanager
def dask_cluster(directory: Path, workers: int) -> Iterator[DaskCluster]:
    """Run a cluster with so many workers; what is left of it at the end is killed."""
    directory.mkdir(exist_ok=True)
    cluster = DaskCluster(directory)
    try:
        for _ in range(workers):
            cluster.add_worker()
        cluster.wait_for_workers(workers)
        yield cluster
    finally:
        cluster.end()
