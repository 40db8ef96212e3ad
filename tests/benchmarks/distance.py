"""A single callback far down a line or a log, against the first ones of an empty ledger: it must not cost more."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from statistics import median

from domain.ledger import Ledger
from domain.times import SECOND
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Pair, Row, Sizes, in_turns
from tests.benchmarks.traffic import START, call, notifications, signed

SINGLES_PER_RUN, WARM_UP = 200, 20
CALLS_OF_LONG_LINE = 100_000
SECONDS_BETWEEN_CALLS_OF_LINE = 1000
TAG, SRC = "sales", "18585550001"

Traffic = Iterator[tuple[int, bytes]]


def line_traffic(seed: int) -> Traffic:
    """Return notifications of one line only, call after call, without end."""
    random, number = Random(seed), count(seed * 100_000_000)
    for at in count(START, SECONDS_BETWEEN_CALLS_OF_LINE * SECOND):
        for received_at, pairs in call(random, at, TAG, SRC):
            yield received_at, signed(pairs, next(number))


def measure_line(sizes: Sizes) -> Row:
    """Record callbacks on a line that has had 100,000 calls (fewer where the sizes are small)."""
    calls = min(CALLS_OF_LONG_LINE, sizes.events)
    path = sizes.directory / "long-line.db"
    traffic = line_traffic(1)
    with ledgers.opened(path) as ledger:
        while ledger.head() == 0 or _calls(ledger) < calls:
            ledgers.fill(ledger, _some(traffic, ledgers.BATCH_SIZE))
        pairs = _compare(sizes, ledger, traffic, line_traffic(2))
    return Row(
        f"a callback on a line with {calls:,} calls", "the first callbacks", " ms", 1.2, 1.05, pairs, at_most=True
    )


def measure_log(sizes: Sizes) -> Row:
    """Record callbacks on a log of as many events as the sizes say."""
    traffic = notifications(sizes.events + _singles(sizes))
    with ledgers.opened(sizes.directory / "long-log.db") as ledger:
        ledgers.fill(ledger, _some(traffic, sizes.events))
        pairs = _compare(sizes, ledger, traffic, notifications(_singles(sizes), seed=2))
    what = f"a callback on a log of {sizes.events:,} events"
    return Row(what, "the first callbacks", " ms", 1.2, 1.05, pairs, at_most=True)


def _singles(sizes: Sizes) -> int:
    return WARM_UP + sizes.runs * SINGLES_PER_RUN


def _calls(ledger: Ledger) -> int:
    return ledger.last_ordinal((TAG, SRC))


def _some(traffic: Traffic, number: int) -> Traffic:
    return (next(traffic) for _ in range(number))


def _compare(sizes: Sizes, long: Ledger, traffic: Traffic, first: Traffic) -> list[Pair]:
    with ledgers.opened(Path(long.path).with_suffix(".first.db")) as empty:
        for ledger, its in ((empty, first), (long, traffic)):
            ledgers.fill(ledger, _some(its, WARM_UP))
        return in_turns(sizes.runs, lambda _: _milliseconds(empty, first), lambda _: _milliseconds(long, traffic))


def _milliseconds(ledger: Ledger, traffic: Traffic) -> float:
    """Return the median time of single records, each durable on its own."""
    taken = []
    for at, query in _some(traffic, SINGLES_PER_RUN):
        begun = time.perf_counter()
        ledger.record([ledger.verify_delivery(query, at)])
        taken.append(time.perf_counter() - begun)
    return median(taken) * 1000
