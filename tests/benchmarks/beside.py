"""Callbacks while a large file is imported into the same store, or a backup of it is made, against the same without."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from threading import Event

from tests.benchmarks import ledgers, program, serving
from tests.benchmarks.measure import Row, Sizes, in_turns
from tests.benchmarks.traffic import notifications
from tests.support.alongside import alongside

SEED_OF_FILE = 2
LINES_AT_LEAST = 100_000  # So that the import outlasts the callbacks.
SECONDS_AT_MOST = 60


def measure(sizes: Sizes) -> Row:
    """Send the same callbacks to a new service each time, alone and beside an import, and compare how long the slowest take."""
    queries = sizes.directory / "beside.txt"
    queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests)))
    count = max(sizes.events, LINES_AT_LEAST)
    lines = ledgers.write_lines(sizes.directory / "beside.ndjson", count, SEED_OF_FILE)
    imported: list[int] = []

    def alone(run: int) -> float:
        return _p99(sizes, queries, sizes.directory / f"alone-{run}.db", nullcontext)

    def beside(run: int) -> float:
        store = sizes.directory / f"beside-{run}.db"
        found = _p99(sizes, queries, store, lambda: _importing(lines, store))
        with ledgers.opened(store) as ledger:
            imported.append(ledger.head() - sizes.requests)
        assert imported[-1] > 0, "the import went on meanwhile"
        return found

    pairs = in_turns(sizes.runs, alone, beside)
    note = (
        f"Callbacks beside an import: while {sizes.requests:,} callbacks were taken, the import recorded"
        f" {median(imported):,.0f} notifications."
    )
    what = "99th percentile of callbacks during an import"
    return Row(what, "without", " ms", 3, 2, pairs, at_most=True, notes=[note])


def measure_backup(sizes: Sizes) -> Row:
    """Send the same callbacks to a service with a large ledger, alone and while one backup after the other is made of it."""
    queries = sizes.directory / "beside.txt"
    queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests, SEED_OF_FILE)))
    filled = ledgers.filled(sizes.directory / "filled.db", sizes.events)
    made: list[float] = []

    def p99(name: str, taken: list[float] | None) -> float:
        store = sizes.directory / f"{name}.db"
        shutil.copy(filled, store)
        try:
            return _p99(sizes, queries, store, lambda: _backing_up(store, taken))
        finally:
            for path in sizes.directory.glob(f"{name}.*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    pairs = in_turns(sizes.runs, lambda run: p99(f"saved-{run}", None), lambda run: p99(f"unsaved-{run}", made))
    note = f"Beside callbacks, a backup of {sizes.events:,} events takes {median(made):.1f} s ({len(made)} were made)."
    what = f"99th percentile of callbacks during backups, {sizes.events:,} events"
    return Row(what, "without", " ms", 3, 2, pairs, at_most=True, notes=[note])


def _p99(sizes: Sizes, queries: Path, store: Path, beside: Callable[[], AbstractContextManager[None]]) -> float:
    port = serving.free_port()
    command = program.serve_command(port, f"sqlite:///{store}")
    with serving.running(command, port, program.SERVE_ENVIRONMENT, store.with_suffix(".log")), beside():
        return serving.load(port, queries, sizes.connections).p99


@contextmanager
def _backing_up(store: Path, taken: list[float] | None) -> Iterator[None]:
    """Make one backup after the other until the block ends, one at least, and note the seconds that each took."""
    if taken is None:
        yield
        return
    command = [*(sys.executable, "-m", "api", "backup", str(store.with_suffix(".backups"))), "--keep", "1"]

    def back_up(ended: Event) -> None:
        while not ended.is_set():
            begun = time.perf_counter()
            environment = serving.environment_with(program.SERVE_ENVIRONMENT)
            subprocess.run(
                [*command, "--store", f"sqlite:///{store}"], env=environment, capture_output=True, check=True
            )
            taken.append(time.perf_counter() - begun)

    with alongside(back_up):
        yield


@contextmanager
def _importing(lines: Path, store: Path) -> Iterator[None]:
    """Import a file until the block ends: an import that was stopped keeps what it recorded."""
    command = [sys.executable, "-m", "api", "import", str(lines), "--store", f"sqlite:///{store}"]
    with store.with_suffix(".import.log").open("wb") as said:
        environment = serving.environment_with(program.SERVE_ENVIRONMENT)
        importing = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            ledgers.wait_for_events(store)
            yield
            assert importing.poll() is None, "the file is too short: the import ended before the callbacks did"
        finally:
            importing.terminate()
            importing.wait(SECONDS_AT_MOST)
