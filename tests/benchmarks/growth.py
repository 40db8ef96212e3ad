"""How rebuild and catch-up grow with the log: what an event costs in one of so many events, and in one of a tenth of it."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.stores.generations import generation_of, generations, open_current
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second

RUNS_MAX = 3
MICROSECONDS = 1_000_000


def measure_rebuild(sizes: Sizes) -> Row:
    """Rebuild a log and a tenth of it, with a process for each core, in turns."""
    folding = ProcessFolding(os.cpu_count() or 1)
    return _measure(sizes, "rebuild", lambda ledger: rebuild(ledger, folding=folding))


def measure_catch_up(sizes: Sizes) -> Row:
    """Catch up with a log and a tenth of it, from position 0, in turns."""
    return _measure(sizes, "catch-up", _catch_up)


def _catch_up(ledger: Ledger) -> None:
    generations(ledger).remove(generation_of(ledger))
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def _measure(sizes: Sizes, what: str, work: Callable[[Ledger], object]) -> Row:
    large, small = sizes.events, max(sizes.events // 10, 1)
    paths = {count: ledgers.filled(sizes.directory / f"growth-{count}.db", count) for count in (small, large)}

    def microseconds(count: int) -> float:
        return MICROSECONDS / _per_second(paths[count], count, work)

    pairs = in_turns(min(sizes.runs, RUNS_MAX), lambda _: microseconds(small), lambda _: microseconds(large))
    return Row(f"{what}, per event of {large:,}", f"of {small:,}", " us", 1.5, 1.1, pairs, at_most=True)


def _per_second(path: Path, count: int, work: Callable[[Ledger], object]) -> float:
    with ledgers.opened(path) as ledger:
        return per_second(count, lambda: work(ledger))
