"""What proofs cost: recording beside a prover, the full check of a log, and the bundle of a bill of 1,000 calls."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from random import Random

from api.application.proofs.bundle_builder import bundle_bill
from api.application.proofs.bundle_check import verify_bundle
from api.application.proofs.log_key import SigningSettings
from api.application.proofs.log_verification import verify_log
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain.ledger import Ledger
from domain.proofs.keys import SigningKey, write_key_file
from domain.proofs.offline import Trust
from domain.times import SECOND
from projections.building.catch_up import catch_up
from projections.proofs.checked_tree import check_against_tree
from projections.queries.billing_overview import latest_month
from projections.stores.generations import open_current
from tests.benchmarks import ledgers, program, traffic
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second

KEY = SigningKey("ledger.example/calls", bytes(range(32)))
ACCOUNT, CALLS = "a thousand", 1000
EVENTS_A_SECOND, BUNDLE_SECONDS = 150_000, 2.0


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


def measure_check(sizes: Sizes) -> Row:
    """Check a whole log against its tree, as a rebuild does, and with every notice's delivery key, as `proof verify` does."""
    with _proven(sizes) as ledger:
        events = ledger.head()
        whole: list[float] = []

        def check(_run: int) -> float:
            whole.append(per_second(events, lambda: verify_log(ledger)))
            return per_second(events, lambda: check_against_tree(ledger))

        pairs = in_turns(sizes.runs, lambda _: float(EVENTS_A_SECOND), check)
    note = f"With the delivery key of each notice, as `proof verify` does it, {sorted(whole)[len(whole) // 2]:,.0f}/s."
    return Row("check of a log against its tree", "what was asked for", "/s", 1, 1.5, pairs, notes=[note])


def measure_bundle(sizes: Sizes) -> Row:
    """Make the bundle of a bill of 1,000 calls, and verify it."""
    with _proven(sizes) as ledger, closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            period = latest_month(connection, ACCOUNT)
        assert period
        verified: list[float] = []

        def make(_run: int) -> float:
            begun = time.perf_counter()
            made = bundle_bill(ledger, store, ACCOUNT, period)
            seconds = time.perf_counter() - begun
            verified.append(per_second(1, lambda: verify_bundle(made.content, Trust(KEY.verifier))))
            assert made.entries == CALLS
            return seconds * 1000

        pairs = in_turns(sizes.runs, lambda _: BUNDLE_SECONDS * 1000, make)
    note = f"Verifying such a bundle takes {1000 / max(verified):,.0f} ms."
    return Row(
        "bundle of a bill of 1,000 calls", "what was asked for", " ms", 1, 0.5, pairs, at_most=True, notes=[note]
    )


@contextmanager
def _proven(sizes: Sizes) -> Iterator[Ledger]:
    """Open a ledger of all events and 1,000 calls of one account, with a signed tree."""
    path = sizes.directory / "proven.db"
    if not path.exists():
        shutil.copy(ledgers.filled(sizes.directory / "filled.db", sizes.events), path)
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
