"""Catch-up from position 0, against the library's own way of following events into a table: its ProjectionRunner."""

from contextlib import closing
from statistics import median

from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.stores.generations import generations
from tests.benchmarks import ledgers, library
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second

FIRST = 100  # Generations that nobody reads.


def measure(sizes: Sizes) -> Row:
    """Catch up with a log, and let the library follow its first events, in turns, each into a new file."""
    path = ledgers.filled(sizes.directory / "filled.db", sizes.events)
    with ledgers.opened(path) as ledger:
        log = library.log_of(ledger, sizes.library_events)
        hasty: list[float] = []

        def follow(run: int) -> float:
            as_it_comes, in_haste = (
                sizes.directory / f"library-{kind}-{run}.db" for kind in ("as-it-comes", "in-haste")
            )
            hasty.append(per_second(sizes.library_events, lambda: library.follow(log, in_haste, waits_for_disk=False)))
            return per_second(sizes.library_events, lambda: library.follow(log, as_it_comes, waits_for_disk=True))

        pairs = in_turns(sizes.runs, follow, lambda run: _catch_up(ledger, FIRST + run, sizes.events))
    row = Row("catch-up from position 0", "the library's ProjectionRunner", "/s", 13, 20, pairs)
    row.notes.append(
        f"The library follows {sizes.library_events:,} events a run, from a log in memory, into a SQLite view as it comes."
        f" Told not to wait for the disk, as our read models do not, it makes {median(hasty):,.0f}/s, and the ratio is"
        f" {median(pair.ours / rate for pair, rate in zip(pairs, hasty, strict=True)):.2f}."
    )
    return row


def _catch_up(ledger: Ledger, generation: int, events: int) -> float:
    with closing(generations(ledger).open(generation)) as store:
        return per_second(events, lambda: catch_up(ledger, store))
