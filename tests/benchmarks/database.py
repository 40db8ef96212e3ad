"""PostgreSQL: an import by COPY, callbacks beside a VACUUM, catch-up, and paging through entries."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from statistics import median
from threading import Event
from unittest.mock import patch

import psycopg

from domain.ledger import Ledger
from domain.log.postgres import transaction
from domain.notices.signature import Keyring
from projections.building.catch_up import catch_up
from projections.building.rebuild import rebuild
from projections.queries import pagination
from projections.queries.selection import Selection
from projections.stores.generations import generations, open_current
from tests.benchmarks import ledgers, program, serving
from tests.benchmarks.measure import Pair, Row, Sizes, in_turns, per_second
from tests.benchmarks.traffic import FORMULA, KEY, notifications
from tests.support.alongside import alongside
from tests.support.dask_cluster import dask_cluster
from tests.support.postgres_server import Postgres

SEED = 2
PAGE_MILLISECONDS = 50.0
DEEP_PAGES = 20
DASK_WORKERS = 2
VACUUM = "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING, ANALYZE) tringledger.stored_events, tringledger.line_calls"


@contextmanager
def database() -> Iterator[str]:
    """Start a server that keeps what it commits, and give the address of an empty database."""
    server = Postgres()
    try:
        with server.database() as url:
            yield url
    finally:
        server.end()


@contextmanager
def _filled(url: str, events: int) -> Iterator[Ledger]:
    with closing(Ledger(url, Keyring(FORMULA, [KEY]), create=True)) as ledger:
        ledgers.fill(ledger, notifications(events))
        yield ledger


def measure_import(sizes: Sizes) -> Row:
    """Import a file with the rows of events and keys copied, and with the same rows inserted as arrays, in turns."""
    lines = ledgers.write_lines(sizes.directory / "import-postgres.ndjson", sizes.events)

    def imported(copied_from: int) -> float:
        with (
            database() as url,
            closing(Ledger(url, Keyring(FORMULA, [KEY]), create=True)) as ledger,
            patch.object(transaction, "COPIED_FROM", copied_from),
        ):
            found = per_second(sizes.events, lambda: program.import_file(ledger, lines))
            assert ledger.head() == sizes.events
            return found

    usual = transaction.COPIED_FROM
    pairs = in_turns(sizes.runs, lambda _: imported(sizes.events + 1), lambda _: imported(usual))
    return Row("import of a file into PostgreSQL, by COPY", "the same by INSERT of arrays", "/s", 0.95, 1.02, pairs)


def measure_vacuum(sizes: Sizes) -> Row:
    """Send the same callbacks to a service with a large log, alone and while its tables are vacuumed again and again."""
    queries = sizes.directory / "vacuum.txt"
    rounds: list[int] = []

    def p99(run: int, url: str, beside: Callable[[], AbstractContextManager[object]]) -> float:
        # Each run has callbacks of its own: none may be a duplicate.
        queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests, SEED + run)))
        port = serving.free_port()
        command = program.serve_command(port, url)
        with serving.running(command, port, program.SERVE_ENVIRONMENT, queries.with_suffix(".log")), beside():
            found = serving.load(port, queries, sizes.connections)
        assert found.refused == 0, f"every callback is answered with a 200, and {found.refused} were not"
        return found.p99

    with database() as url:
        with _filled(url, sizes.events):
            pass
        pairs = in_turns(
            sizes.runs,
            lambda run: p99(2 * run, url, nullcontext),
            lambda run: p99(2 * run + 1, url, lambda: _vacuuming(url, rounds)),
        )
    note = f"Beside callbacks, {len(rounds)} VACUUMs of {sizes.events:,} events ran, {median(rounds):,.0f} ms each."
    what = "99th percentile of callbacks during a VACUUM on PostgreSQL"
    return Row(what, "without", " ms", 2, 1.25, pairs, at_most=True, notes=[note])


@contextmanager
def _vacuuming(url: str, rounds: list[int]) -> Iterator[None]:
    """Vacuum until the block ends, once at least, and note the milliseconds that each took."""

    def vacuum(ended: Event) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not rounds or not ended.is_set():
                begun = time.perf_counter()
                connection.execute(VACUUM.encode())
                rounds.append(round((time.perf_counter() - begun) * 1000))

    with alongside(vacuum):
        yield


def measure_catch_up(sizes: Sizes) -> Row:
    """Catch up from position 0 with a ledger in a file and with the same one in PostgreSQL, in turns."""
    path = ledgers.filled(sizes.directory / "filled.db", sizes.events)

    def follow(ledger: Ledger, run: int) -> float:
        kept = generations(ledger)
        kept.clear(3 + 2 * run)
        with closing(kept.open(3 + 2 * run)) as store:
            return per_second(sizes.events, lambda: catch_up(ledger, store))

    with ledgers.opened(path) as here, database() as url, _filled(url, sizes.events) as there:
        pairs = in_turns(sizes.runs, lambda run: follow(here, run), lambda run: follow(there, run))
    return Row("catch-up from position 0 on PostgreSQL", "the same on SQLite", "/s", 0.4, 0.7, pairs)


def measure_rebuild_on_dask(sizes: Sizes) -> Row:
    """Rebuild in PostgreSQL on a Dask cluster of two workers, which write the rows, and in one process, in turns."""
    from projections.building.dask_cluster import DaskFolding  # noqa: PLC0415 - half a second to load, which others should not pay

    with (
        database() as url,
        _filled(url, sizes.events) as ledger,
        dask_cluster(sizes.directory / "dask", DASK_WORKERS) as running,
        closing(DaskFolding(running.address)) as cluster,
    ):
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
        pairs = in_turns(
            sizes.runs,
            lambda _: per_second(sizes.events, lambda: rebuild(ledger)),
            lambda _: per_second(sizes.events, lambda: rebuild(ledger, folding=cluster)),
        )
    what = f"rebuild on PostgreSQL, {DASK_WORKERS} Dask workers that write the rows"
    return Row(what, "one process", "/s", None, None, pairs)


def measure_entries(sizes: Sizes) -> Row:
    """Page through entries in PostgreSQL, from the first one on, and take the slowest page of each run."""
    with database() as url, _filled(url, sizes.events) as ledger:
        rebuild(ledger)
        with closing(open_current(ledger)) as store, store.snapshot() as connection:
            found = [_slowest_page(connection) for _ in range(sizes.runs)]
    pairs = [Pair(PAGE_MILLISECONDS, milliseconds) for milliseconds in found]
    what = "the slowest page of 100 entries on PostgreSQL"
    return Row(what, f"{PAGE_MILLISECONDS:g} ms", "ms", 1, 0.5, pairs, at_most=True)


def _slowest_page(connection: object) -> float:
    slowest, cursor = 0.0, ""
    for _ in range(DEEP_PAGES):
        begun = time.perf_counter()
        page = pagination.fetch_page(connection, "entries", Selection(), "UTC", cursor=cursor)  # type: ignore[arg-type]
        slowest = max(slowest, (time.perf_counter() - begun) * 1000)
        cursor = page.next
        if not cursor:
            break
    return slowest
