"""The bill run that the issue sets a mark for: fifty accounts with 20,000 calls, from a log alone, and with read models that have all of it."""

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

from sqlalchemy import select

from domain.times import SECOND
from projections.building.catch_up import catch_up
from projections.schema.tables import CDRS
from projections.stores.generations import open_current
from tests.benchmarks import ledgers, traffic
from tests.benchmarks.measure import Limit, Row, Sizes, seconds, within
from tests.support.command import run

SECONDS, CALLS, ACCOUNTS = 10, 20_000, 50
MONTH, SECONDS_OF_MONTH = "2026-10", 30 * 86_400
NOTICES_OF_CALL = 3
DOCUMENTS = ("--document", "html", "--document", "csv", "--document", "pdf")
FILE = "ledger.db"


def measure(sizes: Sizes) -> Row:
    """Bill a month with read models that have all of it."""
    return _measure(sizes, "read models caught up", _caught_up)


def measure_from_nothing(sizes: Sizes) -> Row:
    """Bill a month without read models: the run builds them first."""
    return _measure(sizes, "from nothing", lambda _: None)


def _measure(sizes: Sizes, how: str, prepare: Callable[[Path], None]) -> Row:
    calls = min(CALLS, max(ACCOUNTS, sizes.events // NOTICES_OF_CALL))
    made = _made(sizes.directory / f"to-bill-{calls}", calls)

    def billed(number: int) -> float:
        here = sizes.directory / f"billing-{number}"
        shutil.copytree(made, here)
        prepare(here / FILE)
        try:
            return seconds(lambda: _bill(here))
        finally:
            shutil.rmtree(here)

    row = within(f"bill run of {ACCOUNTS} accounts, {how}", Limit(SECONDS, CALLS, calls), sizes.runs, billed)
    row.notes.append(
        f"Reading the CDRs of the {calls:,} calls by SQL took {_read(made, sizes.directory / 'read') * 1000:.0f} ms."
    )
    return row


def _made(folder: Path, calls: int) -> Path:
    """Return a folder with a ledger of so many calls in a month, made here unless it is there already."""
    if not folder.exists():
        folder.mkdir()
        with ledgers.opened(folder / FILE) as ledger:
            ledgers.fill(ledger, _notices(calls))
    return folder


def _notices(calls: int) -> Iterator[tuple[int, bytes]]:
    random, r = Random(1), 0
    for number in range(calls):
        at = traffic.START + SECONDS_OF_MONTH * number // calls * SECOND
        for received_at, pairs in traffic.call(random, at, f"account-{number % ACCOUNTS:02}", f"1858{number:07}"):
            r += 1
            yield received_at, traffic.signed(pairs, r)


def _caught_up(path: Path) -> None:
    with ledgers.opened(path) as ledger:
        store = open_current(ledger)
        try:
            catch_up(ledger, store)
        finally:
            store.close()


def _bill(folder: Path) -> None:
    what = ("bill", MONTH, "--by", "Ada", "--accept", "measured", "-o", str(folder / "bills.zip"), *DOCUMENTS)
    done = run(*what, "--store", f"sqlite:///{folder / FILE}")
    assert done.code == 0, done.err


def _read(made: Path, here: Path) -> float:
    shutil.copytree(made, here)
    _caught_up(here / FILE)
    with ledgers.opened(here / FILE) as ledger:
        store = open_current(ledger)
        try:
            with store.snapshot() as connection:
                return seconds(lambda: list(islice(connection.execute(select(CDRS)), CALLS)))
        finally:
            store.close()
            shutil.rmtree(here)
