"""The digest of a read model: its number of rows, their SHA-256, and the sums of its money, the same on every store.

It is made of lines of JSON without spaces, in UTF-8: an array of the column names, then an array for each row, in the order
of the key. Amounts are whole millionths and times whole microseconds, so that any program can compute it.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain

import msgspec
from sqlalchemy import Table

from projections.rows.projector import Row
from projections.schema.column_kinds import ColumnKind, column_kind

_lines = msgspec.json.Encoder().encode_lines


class TableDigest:
    """Digests the rows of a read model; ``sums`` has the sums of its columns of money, in millionths."""

    def __init__(self, table: Table) -> None:
        """Start with the line of the column names."""
        names = [str(column.name) for column in table.columns]
        self.rows = 0
        self.sums = {
            str(column.name): 0
            for column in table.columns
            if column_kind(column) in (ColumnKind.AMOUNT, ColumnKind.TOTAL)
        }
        self._places = {name: names.index(name) for name in self.sums}
        self._digest = hashlib.sha256(_lines([names]))

    def update_while(self, chunks: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """Yield chunks of rows, in the order of their key, and digest them on the way."""
        for rows in chunks:
            self.rows += len(rows)
            self._digest.update(_lines(rows))
            for name, place in self._places.items():
                self.sums[name] += sum([row[place] or 0 for row in rows])
            yield rows

    def add_lines(self, lines: Sequence[Sequence[bytes]]) -> None:
        """Digest rows of one column, which are lines of JSON already; ``sums`` stays as it is."""
        self.rows += len(lines)
        self._digest.update(b"\n".join(chain.from_iterable(lines)) + b"\n")

    def add_all_lines(self, chunks: Generator[Sequence[Sequence[bytes]]]) -> None:
        """Digest all lines, many at a time, and close what they come from."""
        with closing(chunks):
            for lines in chunks:
                self.add_lines(lines)

    @property
    def digest(self) -> str:
        """The digest in hexadecimal digits."""
        return self._digest.hexdigest()
