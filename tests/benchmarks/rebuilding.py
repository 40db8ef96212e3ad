"""The rebuild of all read models, against reading the log from end to end and decoding its JSON, on one core.

What is timed is the whole of ``rebuild``: build beside, compare with the live read models, swap; the start of its processes
too. A Dask cluster is there before, as its users have one.
"""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from projections.building.catch_up import catch_up
from projections.building.partitions import SEQUENTIAL, FoldStrategy
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.stores.generations import open_current
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


def measure_dask(sizes: Sizes) -> Row:
    """Rebuild on a Dask cluster of two workers."""
    from projections.building.dask_cluster import DaskFolding  # noqa: PLC0415 - half a second to load, which others should not pay

    with (
        dask_cluster(sizes.directory / "dask", DASK_WORKERS) as running,
        closing(DaskFolding(running.address)) as cluster,
    ):
        return _measure(sizes, f"rebuild of all read models, {DASK_WORKERS} Dask workers", cluster)


def _measure(sizes: Sizes, what: str, folding: FoldStrategy) -> Row:
    path = ledgers.filled(sizes.directory / "filled.db", sizes.events)
    with ledgers.opened(path) as ledger:
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
        pairs = in_turns(
            sizes.runs,
            lambda _: per_second(sizes.events, lambda: scan(path)),
            lambda _: per_second(sizes.events, lambda: rebuild(ledger, folding=folding)),
        )
    return Row(what, "a raw scan of the log, JSON decoded", "/s", 0.15, 0.40, pairs)


def scan(path: Path) -> None:
    """Read the log from end to end, and decode its JSON."""
    with closing(sqlite3.connect(path)) as connection:
        statement = (
            "SELECT position, originator_id, originator_version, topic, state FROM stored_events ORDER BY position"
        )
        for *_, state in connection.execute(statement):
            json.loads(state)
