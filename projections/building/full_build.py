"""Fill empty tables with the rows of all streams as they are at a position of the log: for rebuilds and for ``as_of``.

Each call is folded to its end and forgotten, so memory does not grow with the log, and any number of processes may fold at
once. The log is read by spans of positions where the store and the calls allow it, else by stream.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from domain.events.operator_events import ExceptionResolved
from domain.garbage_collection import collecting_rarely
from domain.ledger import Ledger
from projections.building import exception_resolutions as resolutions
from projections.building.catch_up import ProjectionStopped, may_be_within_undo, write_batch
from projections.building.partitions import (
    LAST,
    FoldStrategy,
    Range,
    SharedBuild,
    StreamRange,
    fold_range,
    stream_ranges,
)
from projections.building.position_spans import plan_spans
from projections.building.rows_in_order import Write, writing_in_order

RANGES_PER_JOB = 4  # Keeps all workers busy nearly to the end; a lost one costs little.

Progress = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """Ignore progress."""


@collecting_rarely()
def fill_rows(
    connection: Connection,
    ledger: Ledger,
    cut: int,
    progress: Progress,
    folding: FoldStrategy,
    *,
    write: Write = write_batch,
    folder: Path | None = None,
    into: SharedBuild | None = None,
) -> int:
    """Write the rows of all streams as they are at a position into empty tables, and return the number of events.

    What sums rows up stays empty. ``write`` writes the rows of a part; with a ``folder`` for a temporary file, many are written in
    the order of the log. Workers write theirs into the build ``into`` themselves, if there is one. ``progress`` is called with the
    number of events done and of all. Raises ProjectionStopped, StoreUnavailable, and what ``folding`` raises.
    """
    done = 0
    resolved: list[tuple[int, ExceptionResolved]] = []
    at_least = folding.jobs * RANGES_PER_JOB if folding.jobs > 1 else 1
    planned = _Ranges(ledger, cut, at_least)
    parts: Any = folding(ledger, cut, planned, into=into)
    with closing(parts), writing_in_order(connection, write, cut, folder) as write_part:
        for part in parts:
            # The rows of spans come nearly in the order of the log by themselves.
            (write if planned.are_spans else write_part)(connection, part.batch)
            resolved += part.batch.resolutions
            done += part.events
            progress(done, cut)
    planned.check(done)
    for last in ledger.events_at([cut] if cut else []):
        if may_be_within_undo(last):
            again = StreamRange(last.stream, last.stream + LAST)
            write(connection, fold_range(ledger, cut, again).batch)
    resolutions.apply_resolutions(connection, resolved)
    return done


class _Ranges:
    """The ranges of a build, planned when they are first read: workers start meanwhile."""

    def __init__(self, ledger: Ledger, cut: int, at_least: int) -> None:
        self._ledger = ledger
        self._cut = cut
        self._at_least = at_least
        self._events: int | None = None

    def __iter__(self) -> Iterator[Range]:
        plan = plan_spans(self._ledger, self._cut, self._at_least)
        if plan:
            self._events = plan.events
        yield from plan.spans if plan else stream_ranges(self._cut, self._at_least)

    @property
    def are_spans(self) -> bool:
        """Whether they were planned as spans of positions."""
        return self._events is not None

    def check(self, folded: int) -> None:
        """Raise ProjectionStopped where spans did not have each event once."""
        if self._events is not None and folded != self._events:
            msg = (
                f"{folded} events were folded; expected the {self._events} that the log has up to position {self._cut}"
            )
            raise ProjectionStopped(msg)
