"""The search for suspects of a month, and ``status``: what an operator waits for, on ledgers of many calls."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, func, select, update

from api.application.status import ledger_status
from domain import times
from domain.ledger import Ledger
from projections.queries.suspects import SuspectRange, find_suspects
from projections.schema.tables import CDRS
from projections.stores.generations import open_current
from tests.benchmarks import million
from tests.benchmarks.database import database
from tests.benchmarks.measure import Row, Sizes, in_turns

MONTH_DAYS = 31
DIGITS = 10  # Without its last digit, a number is one of 20,000.
# In the dense ledger, one line has so many of ten calls.
DENSE_OF_TEN = 4
SEARCH_SECONDS, STATUS_SECONDS = 5, 1
SMALL = 10  # `status` is compared with that of a ledger of so many times fewer calls.
NOW = million.START + million.SPAN


def measure_suspects(sizes: Sizes) -> Row:
    """Look for the suspects of a month whose lines have a few equal calls each."""
    with _on_sqlite(sizes.directory / "suspects.db") as ledger:
        return _searched(sizes, ledger, dense=0)


def measure_dense_suspects(sizes: Sizes) -> Row:
    """Look for those of a month in which one line sends the same call on and on."""
    with _on_sqlite(sizes.directory / "dense.db") as ledger:
        return _searched(sizes, ledger, dense=DENSE_OF_TEN)


def measure_suspects_on_postgres(sizes: Sizes) -> Row:
    """Do the same on PostgreSQL."""
    with _on_postgres() as ledger:
        return _searched(sizes, ledger, dense=DENSE_OF_TEN)


def measure_status(sizes: Sizes) -> Row:
    """Ask for the status of a ledger of ten times as many calls as logs have events, and of a small one."""
    directory = sizes.directory
    return _status_row(
        sizes, "SQLite", lambda: _on_sqlite(directory / "small.db"), lambda: _on_sqlite(directory / "large.db")
    )


def measure_status_on_postgres(sizes: Sizes) -> Row:
    """Do the same on PostgreSQL."""
    return _status_row(sizes, "PostgreSQL", _on_postgres, _on_postgres)


@contextmanager
def _on_sqlite(path: Path) -> Iterator[Ledger]:
    with closing(Ledger(f"sqlite:///{path}", create=True)) as ledger:
        yield ledger


@contextmanager
def _on_postgres() -> Iterator[Ledger]:
    with database() as url, closing(Ledger(url, create=True)) as ledger:
        yield ledger


def _searched(sizes: Sizes, ledger: Ledger, *, dense: int) -> Row:
    """Measure the search in a month of as many calls as logs have events, after a month of as many."""
    million.fill(ledger, 2 * sizes.events)
    wanted = SuspectRange(since=million.START + MONTH_DAYS * times.DAY)
    with closing(open_current(ledger)) as store:
        with store.transaction() as connection:
            _make_alike(connection, dense)
        with store.snapshot() as connection:
            pairs = in_turns(
                sizes.runs,
                lambda _: _seconds(lambda: connection.execute(select(*CDRS.c)).fetchall()),
                lambda _: _seconds(lambda: find_suspects(ledger, connection, wanted)),
            )
            found = find_suspects(ledger, connection, wanted)
    is_file = ledger.shown_url.startswith("sqlite:")
    what = f"suspects of a month{' of dense calls' if dense else ''} on {'SQLite' if is_file else 'PostgreSQL'}"
    slowest = max(pair.ours for pair in pairs)
    note = (
        f"Among {sizes.events:,} calls and as many in the month before: {len(found.alone):,} suspects, {len(found.runs)} runs;"
        f" the slowest search took {slowest:.2f} s, expected at most {SEARCH_SECONDS}."
    )
    return Row(what, "reading the two months' CDRs", "s", 4, 2, pairs, at_most=True, notes=[note])


def _make_alike(connection: Connection, dense: int) -> None:
    """Put the calls into two months, on few lines, with equal numbers."""
    connection.execute(
        update(CDRS).values(
            tag="acme",
            src=func.substr(CDRS.c.src, 1, DIGITS),
            status="COMPLETED",
            flags="",
            cdr_at=million.START + (CDRS.c.cdr_at - million.START) * 2 * MONTH_DAYS // (million.SPAN // times.DAY),
            src_duration=60 * (1 + CDRS.c.position % 3),
            dest_duration=60,
            src_charge=1,
            dest_charge=1,
        )
    )
    if dense:
        often = CDRS.c.position // 3 % 10 < dense
        connection.execute(update(CDRS).where(often).values(src="18580000000", src_duration=60))


def _status_row(
    sizes: Sizes,
    where: str,
    small: Callable[[], AbstractContextManager[Ledger]],
    large: Callable[[], AbstractContextManager[Ledger]],
) -> Row:
    calls = 10 * sizes.events
    with small() as few, large() as many:
        million.fill(few, calls // SMALL)
        million.fill(many, calls)
        pairs = in_turns(sizes.runs, lambda _: _status_seconds(few), lambda _: _status_seconds(many))
    slowest = max(pair.ours for pair in pairs)
    note = f"With {calls:,} calls, the slowest took {slowest:.2f} s, expected less than {STATUS_SECONDS}."
    return Row(f"status on {where}", f"with a {SMALL}th of the calls", "s", 10, 2, pairs, at_most=True, notes=[note])


def _status_seconds(ledger: Ledger) -> float:
    with closing(open_current(ledger)) as store:
        return _seconds(lambda: ledger_status(ledger, store, NOW, caught_up=False))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
