"""What proofs cost: recording beside a prover, the full check of a log, and the bundle of a bill of 1,000 calls."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random
from statistics import median

import psutil

from api.application.proofs.bundle_builder import bundle_bill
from api.application.proofs.bundle_check import verify_bundle
from api.application.proofs.log_key import SigningSettings
from api.application.proofs.log_verification import verify_log
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain.ledger import Ledger
from domain.proofs.entry import hash_events
from domain.proofs.keys import SigningKey, write_key_file
from domain.proofs.offline import Trust
from domain.times import SECOND
from projections.building.catch_up import catch_up
from projections.proofs.checked_tree import check_against_tree
from projections.queries.billing_overview import latest_month
from projections.stores.base import ReadStore
from projections.stores.generations import open_current
from tests.benchmarks import ledgers, program, serving, traffic
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second
from tests.benchmarks.traffic import notifications

KEY = SigningKey("ledger.example/calls", bytes(range(32)))
ACCOUNT, CALLS = "a thousand", 1000
# A full check starts processes, which a log of 100,000 events notices: it is measured on one so many times as long.
CHECKED_TIMES = 5


def measure_recording(sizes: Sizes) -> Row:
    """Import a file with and without a prover that takes the same store's events in, in turns."""
    lines = ledgers.write_lines(sizes.directory / "proving.ndjson", sizes.events)
    fresh = (sizes.directory / f"proving-{number}.db" for number in count())

    def imported(path: Path) -> float:
        with ledgers.opened(path) as ledger:
            return per_second(sizes.events, lambda: program.import_file(ledger, lines))

    def beside(_run: int) -> float:
        path = next(fresh)
        with ledgers.opened(path), _proving(path):
            return imported(path)

    pairs = in_turns(sizes.runs, lambda _: imported(next(fresh)), beside)
    return Row("import of a file with a prover beside it", "without one", "/s", 0.95, 0.98, pairs)


@contextmanager
def _proving(path: Path) -> Iterator[None]:
    """Run a prover that signs; it is up once the tree is there."""
    key = path.with_suffix(".key")
    write_key_file(key, KEY)
    command = [sys.executable, "-m", "api", "prove", "--store", f"sqlite:///{path}"]
    environment = {"TRINGLEDGER_LOG_KEY": str(key), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + ledgers.SECONDS_TO_FIRST_EVENT
        while not path.with_name(f"{path.name}.proofs.db").exists():
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait()


def measure_callbacks(sizes: Sizes) -> Row:
    """Send callbacks to the service with its prover at work, and with the prover stopped."""
    queries = sizes.directory / "proving.txt"
    queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests)))
    key = sizes.directory / "callbacks.key"
    write_key_file(key, KEY)
    environment = {**program.SERVE_ENVIRONMENT, "TRINGLEDGER_LOG_KEY": str(key), "TRINGLEDGER_CHECKPOINT_SECONDS": "1"}

    def rate(store: Path, *, is_stopped: bool) -> float:
        port = serving.free_port()
        command = program.serve_command(port, f"sqlite:///{store}")
        with serving.running(command, port, environment, store.with_suffix(".log")) as server:
            prover = _prover_of(server.pid)
            if is_stopped:
                prover.suspend()
            try:
                load = serving.load(port, queries, sizes.connections)
            finally:
                prover.resume()
        return load.answered / load.seconds

    pairs = in_turns(
        sizes.runs,
        lambda run: rate(sizes.directory / f"unproven-{run}.db", is_stopped=True),
        lambda run: rate(sizes.directory / f"proving-callbacks-{run}.db", is_stopped=False),
    )
    return Row("callbacks with the prover at work", "with it stopped", "/s", 0.95, 0.98, pairs)


def _prover_of(service: int) -> psutil.Process:
    """Return a service's prover, once it is there."""
    deadline = time.monotonic() + ledgers.SECONDS_TO_FIRST_EVENT
    while time.monotonic() < deadline:
        for child in psutil.Process(service).children(recursive=True):
            with suppress(psutil.Error):
                if "api.processes.prover" in child.cmdline():
                    return child
        time.sleep(0.05)
    msg = "the service has no prover"
    raise TimeoutError(msg)


def measure_check(sizes: Sizes) -> Row:
    """Check a whole log, with every notice's delivery key, as `proof verify` does, against reading and hashing its events."""
    with proven(sizes._replace(events=sizes.events * CHECKED_TIMES)) as ledger:
        events = ledger.head()
        path = Path(ledger.path)

        def verify() -> None:
            assert verify_log(ledger).holds

        pairs = in_turns(
            sizes.runs,
            lambda _: per_second(events, lambda: _hash_all(path)),
            lambda _: per_second(events, verify),
        )
        tree = per_second(events, lambda: check_against_tree(ledger))
    note = f"A log of {events:,} events. Against the tree alone, as a copy is checked, by one process: {tree:,.0f} events/s."
    return Row("proof verify", "reading and hashing the events", "/s", 0.4, 0.6, pairs, notes=[note])


def _hash_all(path: Path) -> None:
    """Read all events and hash their states and entries, as any program has to that checks them."""
    with closing(sqlite3.connect(path)) as connection:
        columns = "position, originator_id, originator_version, topic, state"
        for event in connection.execute(f"SELECT {columns} FROM stored_events ORDER BY position"):
            hash_events((event,))


def measure_bundle(sizes: Sizes) -> Row:
    """Make the bundle of a bill of 1,000 calls, and verify it, in a large ledger and in one of a tenth of its size."""
    verified: list[float] = []

    def make(ledger: Ledger, store: ReadStore, period: str) -> float:
        begun = time.perf_counter()
        made = bundle_bill(ledger, store, ACCOUNT, period)
        seconds = time.perf_counter() - begun
        verified.append(1 / per_second(1, lambda: verify_bundle(made.content, Trust(KEY.verifier))))
        assert made.entries == CALLS
        return seconds * 1000

    with (
        _billed(sizes._replace(events=max(sizes.events // 10, 1))) as (small, small_store, period),
        _billed(sizes) as (large, large_store, _),
    ):
        pairs = in_turns(
            sizes.runs,
            lambda _: make(small, small_store, period),
            lambda _: make(large, large_store, period),
        )
    note = f"Verifying such a bundle takes {median(verified) * 1000:,.0f} ms. Asked for: under 2 s beside a million events."
    what = f"bundle of a bill of 1,000 calls, {sizes.events:,} events"
    return Row(what, f"with {sizes.events // 10:,}", " ms", 1.5, 1.1, pairs, at_most=True, notes=[note])


@contextmanager
def _billed(sizes: Sizes) -> Iterator[tuple[Ledger, ReadStore, str]]:
    """Open such a ledger with its read models; the month is the account's last."""
    with proven(sizes) as ledger, closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            period = latest_month(connection, ACCOUNT)
        assert period
        yield ledger, store, period


@contextmanager
def proven(sizes: Sizes) -> Iterator[Ledger]:
    """Open a ledger of all events and 1,000 calls of one account, with a signed tree."""
    path = sizes.directory / f"proven-{sizes.events}.db"
    if not path.exists():
        shutil.copy(ledgers.filled(sizes.directory / f"filled-{sizes.events}.db", sizes.events), path)
        write_key_file(path.with_suffix(".key"), KEY)
        with ledgers.opened(path) as ledger:
            ledgers.fill(ledger, _thousand_calls())
            settings = ProverSettings(SigningSettings(path.with_suffix(".key")), 0)
            with closing(TreeKeeper(ledger, settings)) as keeper:
                state = keeper.catch_up()
                assert state.failure == "", state.failure
    with ledgers.opened(path) as ledger:
        yield ledger


def _thousand_calls() -> Iterator[tuple[int, bytes]]:
    """Return the notices of 1,000 calls of one account, in one month."""
    random, r = Random(1000), count(1 << 40)
    for number in range(CALLS):
        begun = traffic.START + number * 60 * SECOND
        for at, pairs in traffic.call(random, begun, ACCOUNT, f"1919555{number:04d}"):
            yield at, traffic.signed(pairs, next(r))
