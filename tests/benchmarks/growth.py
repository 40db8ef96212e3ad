"""How work grows with the log: the processor time that an event costs in a log of so many, and in one of a tenth of it.

Both logs are the beginning of one stream in order of time.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path

from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.stores.generations import generation_of, generations, open_current
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Row, Sizes, cpu_seconds, in_turns
from tests.benchmarks.traffic import notifications

TIMES = 10
# How many callbacks share a transaction where as many connections are busy.
CALLBACKS = 64
MICROSECONDS = 1_000_000
USUAL_EVENTS = 1_000_000  # Beyond these, more growth is allowed.


def measure_record(sizes: Sizes) -> Row:
    """Record into a log and into one of a tenth of it, in turns, in the large transactions of an import."""
    return _measure_record(sizes, ledgers.BATCH_SIZE)


def measure_callbacks(sizes: Sizes) -> Row:
    """Do the same in the small transactions of callbacks: the growth that is felt where a service runs."""
    return _measure_record(sizes, CALLBACKS)


def _measure_record(sizes: Sizes, batch_size: int) -> Row:
    """Record more events into either log, in turns; the first round, with empty caches, does not count."""
    count = max(sizes.events // 10, 1)
    with ExitStack() as opened:
        at = {}
        for size, path in _paths(sizes).items():
            # The other rows measure the logs as they are.
            copied = shutil.copyfile(path, sizes.directory / f"growth-record-{batch_size}-{size}.db")
            traffic = islice(notifications(size + (sizes.runs + 1) * count), size, None)
            at[size] = opened.enter_context(ledgers.opened(copied)), traffic

        def record(size: int) -> float:
            ledger, traffic = at[size]
            batch = list(islice(traffic, count))
            return cpu_seconds(lambda: ledgers.fill(ledger, iter(batch), batch_size)) * MICROSECONDS / count

        for size in at:
            record(size)
        return _row(sizes, f"record, transactions of {batch_size:,}", record)


def measure_rebuild(sizes: Sizes) -> Row:
    """Rebuild a log and a tenth of it, with a process for each core, in turns."""
    folding = ProcessFolding(os.cpu_count() or 1)
    return _row(sizes, "rebuild", _on_paths(sizes, lambda ledger: rebuild(ledger, folding=folding)))


def measure_catch_up(sizes: Sizes) -> Row:
    """Catch up with a log and a tenth of it, from position 0, in turns."""
    return _row(sizes, "catch-up", _on_paths(sizes, _catch_up))


def _catch_up(ledger: Ledger) -> None:
    generations(ledger).remove(generation_of(ledger))
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def _paths(sizes: Sizes) -> dict[int, Path]:
    both = sizes.events, sizes.events * TIMES
    return {count: log_of(sizes, count) for count in both}


def log_of(sizes: Sizes, events: int) -> Path:
    """Return the file of a log of so many events, which is left as it is."""
    return ledgers.filled(sizes.directory / f"growth-{events}.db", events)


def _on_paths(sizes: Sizes, work: Callable[[Ledger], object]) -> Callable[[int], float]:
    paths = _paths(sizes)

    def microseconds(count: int) -> float:
        with ledgers.opened(paths[count]) as ledger:
            return cpu_seconds(lambda: work(ledger)) * MICROSECONDS / count

    return microseconds


def _row(sizes: Sizes, what: str, microseconds: Callable[[int], float]) -> Row:
    small, large = sizes.events, sizes.events * TIMES
    pairs = in_turns(sizes.runs, lambda _: microseconds(small), lambda _: microseconds(large))
    must_reach = 1.15 if large <= USUAL_EVENTS else 1.2
    what = f"{what}, CPU per event of {large:,}"
    return Row(what, f"of {small:,}", " us", must_reach, 1.05, pairs, at_most=True)
