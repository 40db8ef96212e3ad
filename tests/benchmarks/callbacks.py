"""Callbacks over HTTP, durable and with their signatures checked: against a constant, and on PostgreSQL by one and two workers.

A service is measured once its helpers are at work: their start takes a second of a core for each worker, and would be charged
to the callbacks of the first seconds.
"""

import json
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from domain.ledger import Ledger
from tests.benchmarks import program, serving
from tests.benchmarks.measure import Row, Sizes, in_turns
from tests.benchmarks.serving import Load
from tests.benchmarks.traffic import notifications
from tests.support.postgres_server import Postgres

READY_SECONDS_MAX = 60
# Callbacks for the helpers to be seen at work.
FIRST, SEED_OF_FIRST = 100, 4
# Each time another connection, and so perhaps another worker.
TIMES_ASKED = 20


class Side:
    """One of the two servers that are compared: what loads it bore."""

    def __init__(self, sizes: Sizes) -> None:
        """Write the callbacks to a file, unless they are there."""
        self._sizes = sizes
        self._queries = sizes.directory / "queries.txt"
        self._queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests)))
        self._first = sizes.directory / "first.txt"
        self._first.write_bytes(b"\n".join(query for _, query in notifications(FIRST, SEED_OF_FIRST)))
        self.loads: list[Load] = []

    def constant(self, _run: int) -> float:
        """Load the server that answers a constant; return answers per second."""
        port = serving.free_port()
        return self._bear(
            [sys.executable, "-m", "tests.benchmarks.constant", str(port)], port, {}, 0
        )  # It has no helpers.

    def service(self, store: str, workers: int = 1) -> float:
        """Load the service with a new ledger at an address; return answers per second."""
        with closing(Ledger(store, create=True)) as ledger:
            assert ledger.head() == 0, "the ledger is new"
            port = serving.free_port()
            command = program.serve_command(port, store, workers)
            rate = self._bear(command, port, program.SERVE_ENVIRONMENT, workers)
            assert ledger.head() == FIRST + self._sizes.requests, "every callback with a 200 is an event"
        return rate

    def file(self, _run: int) -> float:
        """Load the service with a new ledger in a file."""
        with TemporaryDirectory(dir=self._sizes.directory) as directory:
            return self.service(f"sqlite:///{directory}/callbacks.db")

    def _bear(self, command: list[str], port: int, environment: Mapping[str, str], workers: int) -> float:
        log = self._sizes.directory / "server.log"
        with serving.running(command, port, environment, log):
            if workers:
                _wait_for_workers(log, workers if workers > 1 else 0)
                serving.load(port, self._first, 1)
                _wait_for_helpers(port)
            self.loads.append(serving.load(port, self._queries, self._sizes.connections))
        return self.loads[-1].answered / self.loads[-1].seconds

    @property
    def latency(self) -> str:
        """Latencies in milliseconds: medians of the medians and of the 99th percentiles."""
        return f"{median(load.p50 for load in self.loads):.1f} and {median(load.p99 for load in self.loads):.1f}"


def _wait_for_workers(log: Path, count: int) -> None:
    """Wait until so many workers are there: the first alone would get all connections."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while log.read_text(errors="replace").count(program.WORKER_READY) < count:
        if time.monotonic() > deadline:
            msg = f"{count} workers did not come up"
            raise RuntimeError(msg)
        time.sleep(0.05)


def _wait_for_helpers(port: int) -> None:
    """Wait until read models and proofs have all callbacks, whichever worker is asked."""
    deadline, agreed = time.monotonic() + READY_SECONDS_MAX, 0
    while agreed < TIMES_ASKED:
        with urlopen(f"http://127.0.0.1:{port}/health") as answer:
            said = json.load(answer)
        is_up = said["read_models"]["position"] == said["head"] == FIRST and said["proofs"]["size"] == FIRST
        agreed = agreed + 1 if is_up else 0
        if time.monotonic() > deadline:
            msg = f"the helpers did not come up: {said}"
            raise RuntimeError(msg)
        time.sleep(0 if is_up else 0.05)


def measure(sizes: Sizes) -> Row:
    """Send the same callbacks to either server, in turns, each started anew and ours with a new ledger."""
    constant, ours = Side(sizes), Side(sizes)
    pairs = in_turns(sizes.runs, constant.constant, ours.file)
    note = (
        f"Callbacks: {sizes.requests:,} a run over {sizes.connections} connections; latency in ms, median and 99th"
        f" percentile: ours {ours.latency}, constant {constant.latency}."
    )
    what = "callbacks, durable, signature checked"
    return Row(what, "a constant from the same server", "/s", 0.25, 0.32, pairs, notes=[note])


def measure_postgres(sizes: Sizes) -> Row:
    """Send callbacks to the service with a ledger in PostgreSQL on this machine, and with one in a file."""
    return _on_postgres(sizes, 1, "the same on SQLite")


def measure_two_workers(sizes: Sizes) -> Row:
    """Send callbacks to two workers with a ledger in PostgreSQL on this machine, and to one."""
    return _on_postgres(sizes, 2, "the same with 1 worker")


def _on_postgres(sizes: Sizes, workers: int, against: str) -> Row:
    yardstick, ours = Side(sizes), Side(sizes)
    server = Postgres()

    def on_postgres(side: Side, count: int) -> float:
        with server.database() as url:
            return side.service(url, count)

    try:
        pairs = in_turns(
            sizes.runs,
            yardstick.file if workers == 1 else lambda _: on_postgres(yardstick, 1),
            lambda _: on_postgres(ours, workers),
        )
    finally:
        server.end()
    note = (
        f"On PostgreSQL with {workers} worker{'s' * (workers > 1)}, latency in ms, median and 99th percentile:"
        f" {ours.latency} ({against}: {yardstick.latency}). Server, workers and load share this machine's cores."
    )
    what = f"callbacks on PostgreSQL, {workers} worker{'s' * (workers > 1)}"
    must_reach, aim = (None, None) if workers == 1 else (1, 1.5)
    return Row(what, against, "/s", must_reach, aim, pairs, notes=[note])
