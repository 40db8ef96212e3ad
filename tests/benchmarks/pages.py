"""Pages of rows, and sums and facets of whole selections, on a ledger of ten times as many calls as logs have events.

What counts is the slowest of many: each filter alone, some together, the first page and one at the other end.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import Connection

from domain.calls.correlation import CorrelationWindow
from domain.ledger import Ledger
from domain.notices.line_number import LINE_RULE_2
from projections.queries import cursors, facets, key_page
from projections.queries import filter_texts as filters
from projections.queries import pagination as browsing
from projections.queries.filter_texts import FilterContext
from projections.queries.selection import Selection
from projections.stores.generations import open_current
from tests.benchmarks import million
from tests.benchmarks.measure import Pair, Row, Sizes

CALLS_PER_EVENT = 10
PAGE_MILLISECONDS, SUMS_MILLISECONDS, COLD_MILLISECONDS = 50.0, 50.0, 300.0
TERMS = FilterContext("UTC", LINE_RULE_2, CorrelationWindow(), million.START + million.SPAN)
BIG = "acme-000000"
SELECTIONS: tuple[dict[str, str], ...] = (
    {},
    {"account": BIG},
    {"tag": "acme-000500"},
    {"number": "18580001234"},
    {"disposition": "BUSY"},
    {"flag": "missing-opening"},
    {"period": "2026-03"},
    {"from": "2026-02-01", "to": "2026-02-03"},
    {"account": BIG, "period": "2026-01"},
    {"account": BIG, "disposition": "FAILED"},
    {"tag": BIG, "from": "2026-02-01", "to": "2026-03-01"},
)
# The rarer of two filters is looked up, whichever it is: of the flagged calls and of those of two days nearly all numbers begin so.
TOGETHER: tuple[dict[str, str], ...] = (
    {"number": "1858*", "flag": "missing-opening"},
    {"number": "1858*", "from": "2026-01-09", "to": "2026-01-11"},
)
# Its facets are counted row by row, by the API all, by pages among so many of them that it takes a twentieth of a second.
WITHIN_MONTHS = {"from": "2026-01-10", "to": "2026-03-21"}
Work = tuple[str, Callable[[Connection], object]]


def measure(sizes: Sizes) -> Row:
    """Measure pages in the usual order, first ones and deep ones."""
    return _row(sizes, "the slowest page of 100 rows", PAGE_MILLISECONDS, _pages)


def measure_sums(sizes: Sizes) -> Row:
    """Measure the sums and the facets of whole selections."""
    return _row(sizes, "the slowest sums or facets of a selection", SUMS_MILLISECONDS, _wholes)


def measure_cold_sums(sizes: Sizes) -> Row:
    """Measure them where the read models' file has not been read before: none of it is in the system's cache."""
    return _row(sizes, "the slowest sums or facets, not read before", COLD_MILLISECONDS, _wholes, cold=True)


def measure_by_price(sizes: Sizes) -> Row:
    """Measure first pages in the order of the price, within a filter."""
    return _row(sizes, "the slowest page in the order of the price", PAGE_MILLISECONDS, _by_price)


def _row(sizes: Sizes, what: str, mark: float, works: Callable[[], Iterator[Work]], *, cold: bool = False) -> Row:
    calls = sizes.events * CALLS_PER_EVENT
    with (
        ledger_of_calls(sizes.directory / "million.db", calls) as ledger,
        closing(open_current(ledger)) as store,
        store.snapshot() as connection,
    ):
        taken = {
            name: [_cold(work, ledger) if cold else _milliseconds(work, connection) for _ in range(sizes.runs)]
            for name, work in works()
        }
    slowest = max(taken, key=lambda name: median(taken[name]))
    pairs = [Pair(mark, milliseconds) for milliseconds in taken[slowest]]
    note = f"Of {len(taken)} asked of {calls:,} calls on SQLite the slowest is {slowest}."
    return Row(what, f"{mark:g} ms", "ms", 1, 0.5, pairs, at_most=True, notes=[note])


def ledger_of_calls(path: Path, calls: int, shape: million.Shape = million.HALF_A_YEAR) -> Ledger:
    """Open the ledger in a file, with so many calls if it is made here."""
    is_there = path.exists()
    ledger = Ledger(f"sqlite:///{path}", create=True)
    if not is_there:
        million.fill(ledger, calls, shape)
    return ledger


def _milliseconds(work: Callable[[Connection], object], connection: Connection) -> float:
    begun = time.perf_counter()
    work(connection)
    return (time.perf_counter() - begun) * 1000


def _cold(work: Callable[[Connection], object], ledger: Ledger) -> float:
    """Measure with a new connection, after the system has forgotten the file."""
    with closing(open_current(ledger)) as store:
        for path in Path(ledger.path).parent.glob(f"{Path(ledger.path).name}.read-*"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with store.snapshot() as connection:
            return _milliseconds(work, connection)


def _by_price() -> Iterator[Work]:
    for name, model, selection in _selections(*SELECTIONS, *TOGETHER):
        if model == "cdrs":
            for sort in ("price", "-price"):
                yield f"{sort} of {name}", partial(_sorted_page, selection, sort)


def _sorted_page(selection: Selection, sort: str, connection: Connection) -> object:
    return browsing.fetch_page(connection, "cdrs", selection, "UTC", sort)


def _selections(*filters_given: dict[str, str]) -> Iterator[tuple[str, str, Selection]]:
    for model in ("calls", "cdrs"):
        for given in filters_given:
            yield f"{model} {given or 'all'}", model, filters.read_filters(model, given, TERMS)


def _pages() -> Iterator[Work]:
    for name, model, selection in _selections(*SELECTIONS, *TOGETHER, WITHIN_MONTHS):
        sort = browsing.default_sort(model)
        yield f"the first of {name}", partial(_page, model, selection, "")
        moment = sort.removeprefix(key_page.DESCENDING)
        deep = million.START + million.SPAN // 50
        ends: dict[str, list[str | int]] = {"calls": [deep, 1], "cdrs": [deep, 1, ""]}
        yield (
            f"a deep one of {name} by {moment}",
            partial(_page, model, selection, cursors.encode_cursor(model, sort, ends[model])),
        )


def _page(model: str, selection: Selection, cursor: str, connection: Connection) -> object:
    return browsing.fetch_page(connection, model, selection, "UTC", "", cursor)


def _wholes() -> Iterator[Work]:
    for name, model, selection in _selections(*SELECTIONS, WITHIN_MONTHS):
        yield f"the sums of {name}", partial(_sums, model, selection)
    for name, model, selection in _selections(*SELECTIONS):
        yield f"the facets of {name}", partial(_facets, model, selection)


def _sums(model: str, selection: Selection, connection: Connection) -> object:
    return facets.sum_columns(connection, model, selection, "UTC")


def _facets(model: str, selection: Selection, connection: Connection) -> object:
    return facets.count_facets(connection, model, selection, "UTC")
