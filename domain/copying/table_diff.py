"""The difference of two tables, read row by row in the order of their keys, and their digests.

At most a few rows of either are in memory.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice, zip_longest
from typing import NamedTuple, TypeVar

import msgspec

from domain.log.tables import LogTable, TableRow

ROWS_AT_ONCE = 1000

_encode_lines = msgspec.json.Encoder().encode_lines
_T = TypeVar("_T")


class RowChange(NamedTuple):
    """A row to delete, a row to insert, or both for a row to replace."""

    gone: TableRow | None
    row: TableRow | None


class Comparison(NamedTuple):
    """The result of a comparison: the number of rows of the first table, its digest, and the first key that differs.

    A digest is the SHA-256, in hexadecimal digits, of all rows in the order of their keys, each as a line of JSON, bytes in
    base64.
    """

    rows: int
    digest: str
    differs_at: TableRow | None


def chunks(items: Iterable[_T], size: int = ROWS_AT_ONCE) -> Iterator[list[_T]]:
    """Yield items in lists of a size; the last one may be shorter."""
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


def row_changes(table: LogTable, wanted: Iterable[TableRow], there: Iterator[TableRow]) -> Iterator[RowChange]:
    """Yield the changes that make the table ``there`` equal to the table ``wanted``."""
    found = next(there, None)
    for row in wanted:
        while found is not None and table.key_of(found) < table.key_of(row):
            yield RowChange(found, None)
            found = next(there, None)
        if found is None or table.key_of(row) < table.key_of(found):
            yield RowChange(None, row)
            continue
        if found != row:
            yield RowChange(found, row)
        found = next(there, None)
    while found is not None:
        yield RowChange(found, None)
        found = next(there, None)


def compare_tables(table: LogTable, first: Iterable[TableRow], second: Iterable[TableRow]) -> Comparison:
    """Compare two tables, each by its own digest."""
    digests = sha256(), sha256()
    count, differs_at = 0, None
    nothing: list[TableRow] = []
    for ours, theirs in zip_longest(chunks(first), chunks(second), fillvalue=nothing):
        count += len(ours)
        for hashed, rows in zip(digests, (ours, theirs), strict=True):
            hashed.update(_encode_lines(rows))
        if differs_at is None and ours != theirs:
            pairs = zip_longest(ours, theirs)
            differing = next(pair for pair in pairs if pair[0] != pair[1])
            differs_at = min(table.key_of(row) for row in differing if row is not None)
    one, other = (hashed.hexdigest() for hashed in digests)
    assert (one == other) == (differs_at is None)
    return Comparison(count, one, differs_at)


def digest_rows(rows: Iterable[TableRow]) -> str:
    """Return the digest of a table; see Comparison."""
    hashed = sha256()
    for chunk in chunks(rows):
        hashed.update(_encode_lines(chunk))
    return hashed.hexdigest()
