"""The rebuild of all read models, against reading the log from end to end and decoding its JSON, on one core.

What is timed is the whole of ``rebuild``: build beside, compare with the live read models, swap; the start of its processes
too. A Dask cluster is there before, as its users have one.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.partitions import SEQUENTIAL, FoldStrategy
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.stores.generations import generation_of, generations, open_current
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second
from tests.support.dask_cluster import dask_cluster

DASK_WORKERS = 2


def measure(sizes: Sizes) -> Row:
    """Rebuild with a process for each core."""
    cores = os.cpu_count() or 1
    return _measure(sizes, f"rebuild of all read models, {cores} processes", ProcessFolding(cores))


def measure_alone(sizes: Sizes) -> Row:
    """Rebuild in one process."""
    return _measure(sizes, "rebuild of all read models, one process", SEQUENTIAL)


def measure_beside_one(sizes: Sizes) -> Row:
    """Rebuild with a process for each core, and in one process, in turns."""
    with _followed(sizes) as ledger:
        cores = os.cpu_count() or 1
        pairs = in_turns(
            sizes.runs,
            lambda _: per_second(sizes.events, lambda: rebuild(ledger)),
            lambda _: per_second(sizes.events, lambda: rebuild(ledger, folding=ProcessFolding(cores))),
        )
    return Row(f"rebuild, a process for each core ({cores})", "one process", "/s", 1.6, 1.9, pairs)


def measure_from_nothing(sizes: Sizes) -> Row:
    """Rebuild where there are no read models to compare with, and where there are, in turns."""
    with _followed(sizes) as ledger:
        folding = ProcessFolding(os.cpu_count() or 1)

        def from_nothing(_run: int) -> float:
            generations(ledger).remove(generation_of(ledger))
            return per_second(sizes.events, lambda: rebuild(ledger, folding=folding))

        pairs = in_turns(
            sizes.runs, lambda _: per_second(sizes.events, lambda: rebuild(ledger, folding=folding)), from_nothing
        )
    return Row("rebuild where there are no read models", "the same where there are", "/s", 1, 1.2, pairs)


def measure_dask(sizes: Sizes) -> Row:
    """Rebuild on a Dask cluster of two workers."""
    from projections.building.dask_cluster import DaskFolding  # noqa: PLC0415 - half a second to load, which others should not pay

    with (
        dask_cluster(sizes.directory / "dask", DASK_WORKERS) as running,
        closing(DaskFolding(running.address)) as cluster,
    ):
        return _measure(sizes, f"rebuild of all read models, {DASK_WORKERS} Dask workers", cluster)


def _measure(sizes: Sizes, what: str, folding: FoldStrategy) -> Row:
    with _followed(sizes) as ledger:
        pairs = in_turns(
            sizes.runs,
            lambda _: per_second(sizes.events, lambda: scan(Path(ledger.path))),
            lambda _: per_second(sizes.events, lambda: rebuild(ledger, folding=folding)),
        )
    must_reach, aim = (0.27, 0.40) if folding is SEQUENTIAL else (None, None)
    return Row(what, "a raw scan of the log, JSON decoded", "/s", must_reach, aim, pairs)


@contextmanager
def _followed(sizes: Sizes) -> Iterator[Ledger]:
    """Lend a ledger with so many events, and read models that are up to it."""
    with ledgers.opened(ledgers.filled(sizes.directory / "filled.db", sizes.events)) as ledger:
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
        yield ledger


def scan(path: Path) -> None:
    """Read the log from end to end, and decode its JSON."""
    with closing(sqlite3.connect(path)) as connection:
        statement = (
            "SELECT position, originator_id, originator_version, topic, state FROM stored_events ORDER BY position"
        )
        for *_, state in connection.execute(statement):
            json.loads(state)
