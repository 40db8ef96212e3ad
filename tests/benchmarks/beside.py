"""Callbacks while a large file is imported into the same store, against the same callbacks without: the import must yield."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks import ledgers, program, serving
from tests.benchmarks.measure import Row, Sizes, in_turns
from tests.benchmarks.traffic import notifications

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
        return _p99(sizes, queries, sizes.directory / f"alone-{run}.db", None)

    def beside(run: int) -> float:
        store = sizes.directory / f"beside-{run}.db"
        found = _p99(sizes, queries, store, lines)
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


def _p99(sizes: Sizes, queries: Path, store: Path, lines: Path | None) -> float:
    port = serving.free_port()
    command = program.serve_command(port, f"sqlite:///{store}")
    with serving.running(command, port, program.SERVE_ENVIRONMENT, store.with_suffix(".log")), _importing(lines, store):
        return serving.load(port, queries, sizes.connections).p99


@contextmanager
def _importing(lines: Path | None, store: Path) -> Iterator[None]:
    """Import a file until the block ends: an import that was stopped keeps what it recorded."""
    if lines is None:
        yield
        return
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
