"""Build the read models anew beside the live ones, compare the two, and swap.

A rebuild reads the log by stream: each call is folded to its end and forgotten, so its memory does not grow with the log.
It ends at a cut position; from there the ordinary catch-up takes over.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.log import LogRow
from projections import billing
from projections.catch_up import CALL_TOPICS, Page, catch_up, fold
from projections.rows import Row
from projections.store import ReadModelsUnfit, ReadStore, generation_of, generations, open_current, swap
from projections.tables import READ_MODELS, Kind, kind

FIRST, LAST = "", "g"  # Stream ids are hexadecimal digits: all of them lie between these two.
ROWS_AT_ONCE = 1000

Progress = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    """Report progress to nobody."""


class Difference(NamedTuple):
    """Where the live read models and a fresh build disagree: a column of a row, or a whole row that one of them lacks.

    ``live`` and ``fresh`` are as the tables keep them (millionths, microseconds), None where absent; ``kind`` is the
    column's, None for a whole row.
    """

    model: str
    row: str
    column: str
    live: Any
    fresh: Any
    kind: Kind | None


class Report(NamedTuple):
    """What a comparison found: the first differences, how many there are, and the position at which it was made.

    The position is None where the live read models were unfit to be compared with.
    """

    differences: list[Difference]
    found: int
    position: int | None


DIFFERENCES_SHOWN_MAX = 200
ROW, PRESENT = "(row)", "present"


def rebuild(ledger: Ledger, progress: Progress = _silent) -> Report:
    """Build anew, swap, and return in what the read models until now differed from the log.

    ``progress`` is told how many of how many events are done. Raises RebuildRunning, ProjectionStopped.
    """
    kept = generations(ledger)
    with kept.only_one_rebuild():
        generation = generation_of(ledger) + 1
        with _build(ledger, generation, ledger.head(), progress) as fresh:
            report = _compare_with_live(ledger, fresh)
            swap(ledger, generation)
        kept.remove_before(generation)
    return report


def check(ledger: Ledger, progress: Progress = _silent, *, catch_up_first: bool = True) -> Report:
    """Build anew, compare with the live read models, and throw the build away.

    Raises RebuildRunning, ProjectionStopped, and ReadModelsUnfit where there is nothing to compare with.
    """
    kept = generations(ledger)
    with kept.only_one_rebuild(), closing(open_current(ledger)) as live:
        if catch_up_first:
            catch_up(ledger, live)
        with live.reading() as connection:
            cut = live.position(connection, ledger.head)
        with _build(ledger, generation_of(ledger) + 1, cut, progress) as fresh:
            report = _compare(ledger, live, fresh)
        kept.remove(fresh.generation)
    return report


def _compare_with_live(ledger: Ledger, fresh: ReadStore) -> Report:
    """Compare, where there is something fit to be compared with: a rebuild mends what is not."""
    try:
        with closing(open_current(ledger)) as live:
            catch_up(ledger, live)
            return _compare(ledger, live, fresh)
    except (ReadModelsUnfit, StoreUnavailable):
        return Report([], 0, None)


@contextmanager
def _build(ledger: Ledger, generation: int, cut: int, progress: Progress) -> Iterator[ReadStore]:
    """Build a generation up to a position; on any failure nothing of it is left."""
    kept = generations(ledger)
    kept.remove(generation)  # What a rebuild that was killed has left.
    try:
        with closing(kept.open(generation, building=True)) as store, store.writing() as connection:
            _fill(connection, ledger, cut, progress)
            store.move_to(connection, cut)
        with closing(kept.open(generation)) as fresh:
            fresh.settle()
            yield fresh
    except BaseException:
        kept.remove(generation)
        raise


def _fill(connection: Connection, ledger: Ledger, cut: int, progress: Progress) -> None:
    """Write the rows of all streams as they are at a position into empty tables."""
    page, done = Page(ledger.timezone), 0
    for _, rows in groupby(ledger.store.by_stream(cut, FIRST, LAST), key=attrgetter("stream")):
        done += _add_stream(page, rows)
        if page.size >= ROWS_AT_ONCE:
            page.put(connection)
            page = Page(ledger.timezone)
            progress(done, cut)
    page.put(connection)
    billing.fill(connection)
    progress(done, cut)


def _add_stream(page: Page, rows: Iterator[LogRow]) -> int:
    """Add what a stream yields, and return how many events it has."""
    first = next(rows)
    if first.topic in CALL_TOPICS:
        events = [first, *rows]
        page.add_call(fold(events))
        return len(events)
    count = 0
    for count, row in enumerate(chain((first,), rows), start=1):  # noqa: B007
        page.add_notice(row)
    return count


def _compare(ledger: Ledger, live: ReadStore, fresh: ReadStore) -> Report:
    """Compare, at the position where the live read models are when it begins."""
    shown: list[Difference] = []
    found = 0
    with live.reading() as live_connection:
        position = live.position(live_connection)
        catch_up(ledger, fresh, position)
        with fresh.reading() as fresh_connection:
            for model, table in READ_MODELS.items():
                for difference in _differences(model, table, live_connection, fresh_connection):
                    found += 1
                    if found <= DIFFERENCES_SHOWN_MAX:
                        shown.append(difference)
    return Report(shown, found, position)


def _differences(model: str, table: Table, live: Connection, fresh: Connection) -> Iterator[Difference]:
    """Walk both tables in the order of their key, side by side."""
    key = itemgetter(*(list(table.columns).index(column) for column in table.primary_key))
    ours, theirs = _walk(table, live), _walk(table, fresh)
    left, right = next(ours, None), next(theirs, None)
    while left or right:
        if left and right and key(left) == key(right):
            if left != right:
                yield from _of_one_row(model, table, left, right, str(key(left)))
            left, right = next(ours, None), next(theirs, None)
        elif left and (right is None or key(left) < key(right)):
            yield Difference(model, str(key(left)), ROW, PRESENT, None, None)
            left = next(ours, None)
        elif right:
            yield Difference(model, str(key(right)), ROW, None, PRESENT, None)
            right = next(theirs, None)


def _of_one_row(model: str, table: Table, live: Row, fresh: Row, name: str) -> Iterator[Difference]:
    for column, was, is_now in zip(table.columns, live, fresh, strict=True):
        if was != is_now:
            yield Difference(model, name, column.name, was, is_now, kind(column))


def _walk(table: Table, connection: Connection) -> Iterator[Row]:
    statement = select(table).order_by(*table.primary_key)
    with connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement) as rows:
        yield from rows
