"""The rebuild of all read models, against reading the log from end to end and decoding its JSON, on one core.

What is timed is the whole of ``rebuild``: build beside, compare with the live read models, swap.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from projections.catch_up import catch_up
from projections.rebuild import rebuild
from projections.store import open_current
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second


def measure(sizes: Sizes) -> Row:
    """Rebuild, and scan, in turns, the same log."""
    path = ledgers.filled(sizes.directory / "filled.db", sizes.events)
    with ledgers.opened(path) as ledger:
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
        pairs = in_turns(
            sizes.runs,
            lambda _: per_second(sizes.events, lambda: _scan(path)),
            lambda _: per_second(sizes.events, lambda: rebuild(ledger)),
        )
    return Row("rebuild of all read models", "a raw scan of the log, JSON decoded", "/s", 0.15, 0.40, pairs)


def _scan(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        statement = (
            "SELECT position, originator_id, originator_version, topic, state FROM stored_events ORDER BY position"
        )
        for *_, state in connection.execute(statement):
            json.loads(state)
