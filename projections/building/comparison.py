"""The differences between the live read models and a fresh build, walked in parallel in the order of their keys.

Tables that are equal, as they usually are, are compared as lines of JSON that the database makes (row_lines.py). Others are
compared in chunks, and row by row from the first chunk that differs. The fresh rows are digested on the way: a certificate
costs no walk of its own.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain, zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from projections.building.digests import TableDigest
from projections.building.row_lines import digest_equal_tables
from projections.rows.projector import Row
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.read_models import STORED_TABLES
from projections.schema.rollups import COMPARED_TABLES

ROWS_AT_ONCE = 1000
DIFFERENCES_LISTED_MAX = 200
ROW, PRESENT = "(row)", "present"

RowChunks = list[Row]


class RowDifference(NamedTuple):
    """A difference between the live read models and a fresh build: a column of a row, or a row that one of them lacks.

    ``live`` and ``fresh`` are as the tables keep them (millionths, microseconds), None where absent; ``kind`` is the
    column's, None for a whole row.
    """

    model: str
    row: str
    column: str
    live: Any
    fresh: Any
    kind: ColumnKind | None


class ComparisonResult(NamedTuple):
    """The first differences, the number of all, and the digest of each read model of the fresh build."""

    differences: list[RowDifference]
    found: int
    seals: dict[str, TableDigest]


def compare_read_models(live: Connection, fresh: Connection) -> ComparisonResult:
    """Compare all read models and the rollups; both stores must be at the same position of the log."""
    shown: list[RowDifference] = []
    found = 0
    seals: dict[str, TableDigest] = {}
    for model, table in COMPARED_TABLES.items():
        if equal := digest_equal_tables(table, fresh, live):
            seals[model] = equal
            continue
        seals[model] = TableDigest(table)
        # Closed here, however this ends: results must not outlive their connection.
        with closing(_chunks(table, live)) as ours, closing(_chunks(table, fresh)) as theirs:
            for difference in _differences(model, table, ours, seals[model].update_while(theirs)):
                found += 1
                if found <= DIFFERENCES_LISTED_MAX:
                    shown.append(difference)
    return ComparisonResult(shown, found, {model: seals[model] for model in STORED_TABLES})


def digest_all(fresh: Connection) -> dict[str, TableDigest]:
    """Digest all read models, if there is nothing to compare them with."""
    return {
        model: digest_equal_tables(table, fresh) or _digest_rows(table, fresh) for model, table in STORED_TABLES.items()
    }


def _digest_rows(table: Table, fresh: Connection) -> TableDigest:
    digest = TableDigest(table)
    with closing(_chunks(table, fresh)) as rows:
        for _ in digest.update_while(rows):
            pass
    return digest


def _differences(
    model: str, table: Table, live: Iterator[RowChunks], fresh: Iterator[RowChunks]
) -> Iterator[RowDifference]:
    nothing: RowChunks = []
    for ours, theirs in zip_longest(live, fresh, fillvalue=nothing):
        if ours != theirs:
            rest = (chain(rows, chain.from_iterable(more)) for rows, more in ((ours, live), (theirs, fresh)))
            yield from _row_by_row(model, table, *rest)


def _row_by_row(model: str, table: Table, live: Iterable[Row], fresh: Iterable[Row]) -> Iterator[RowDifference]:
    key = itemgetter(*(list(table.columns).index(column) for column in table.primary_key))
    ours, theirs = iter(live), iter(fresh)
    left, right = next(ours, None), next(theirs, None)
    while left or right:
        if left and right and key(left) == key(right):
            if left != right:
                yield from _of_one_row(model, table, left, right, _named(key(left)))
            left, right = next(ours, None), next(theirs, None)
        elif left and (right is None or key(left) < key(right)):
            yield RowDifference(model, _named(key(left)), ROW, PRESENT, None, None)
            left = next(ours, None)
        elif right:
            yield RowDifference(model, _named(key(right)), ROW, None, PRESENT, None)
            right = next(theirs, None)


def _named(key: Any) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _of_one_row(model: str, table: Table, live: Row, fresh: Row, name: str) -> Iterator[RowDifference]:
    for column, was, is_now in zip(table.columns, live, fresh, strict=True):
        if was != is_now:
            yield RowDifference(model, name, str(column.name), was, is_now, column_kind(column))


def _chunks(table: Table, connection: Connection) -> Generator[RowChunks]:
    """Yield a table's rows in the order of its key, many at a time."""
    statement = select(table).order_by(*table.primary_key).execution_options(yield_per=ROWS_AT_ONCE)
    with connection.execute(statement) as result:
        for rows in result.partitions():
            yield [tuple(row) for row in rows]
