"""Callbacks while 200 live pages are open, against the same callbacks while none is."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec

from api.web.auth import users
from api.web.auth.roles import Role
from api.web.auth.store import open_access_store
from domain import times
from tests.benchmarks import ledgers, program, serving
from tests.benchmarks.measure import Row, Sizes, in_turns
from tests.benchmarks.onlookers import Seen
from tests.benchmarks.traffic import notifications

PAGES = 200
EVENTS_BEFORE = 5_000
SEED_BEFORE = 3
SECONDS_AT_MOST = 60


def measure(sizes: Sizes) -> Row:
    """Send the same callbacks to a new service each time, without onlookers and with them."""
    queries = sizes.directory / "live.txt"
    queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests)))
    seen: list[Seen] = []

    def alone(run: int) -> float:
        return _rate(sizes, queries, sizes.directory / f"unseen-{run}.db", None)

    def watched(run: int) -> float:
        return _rate(sizes, queries, sizes.directory / f"seen-{run}.db", seen)

    pairs = in_turns(sizes.runs, alone, watched)
    frames, size = (median(getattr(each, name) / PAGES for each in seen) for name in ("frames", "bytes"))
    note = (
        f"Live pages: {PAGES} of them, each sent {frames:.0f} frames, {size / 1000:,.0f} kB, while {sizes.requests:,}"
        " callbacks were taken; the pages' reader and the callbacks' sender share this machine's cores with the service."
    )
    what = f"callbacks while {PAGES} live pages are open"
    return Row(what, "the same without", "/s", 0.90, 0.95, pairs, notes=[note])


def _rate(sizes: Sizes, queries: Path, store: Path, seen: list[Seen] | None) -> float:
    with ledgers.opened(store) as ledger:
        ledgers.fill(ledger, notifications(EVENTS_BEFORE, SEED_BEFORE))
        kept = open_access_store(ledger.url, durable=True)
        token = users.add_user(kept, "onlooker", [Role.READ], times.now())
        kept.close()
    port = serving.free_port()
    command = program.serve_command(port, f"sqlite:///{store}")
    with (
        serving.running(command, port, program.SERVE_ENVIRONMENT, store.with_suffix(".log")),
        _looking_on(port, token, seen),
    ):
        load = serving.load(port, queries, sizes.connections)
    return load.answered / load.seconds


@contextmanager
def _looking_on(port: int, token: str, seen: list[Seen] | None) -> Iterator[None]:
    """Have the pages open until the block ends; without ``seen``, none."""
    if seen is None:
        yield
        return
    command = [sys.executable, "-m", "tests.benchmarks.onlookers", str(port), token, str(PAGES)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline(), "the pages could not be opened"
        yield
        said, _ = process.communicate(timeout=SECONDS_AT_MOST)
        seen.append(msgspec.json.decode(said, type=Seen))
    finally:
        process.kill()
        process.wait()
