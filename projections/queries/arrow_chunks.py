"""The rows of a selection as Arrow arrays, column by column: what files and frames are made of.

The database writes each row as a line, SQLite as JSON and PostgreSQL as CSV, and Arrow's reader of CSV takes a chunk of such lines
apart: half the work of a Python object for each value, and nearly all of it in C, where other threads of the process go on.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Column

from projections.arrow_columns import text_array, whole_array
from projections.queries.copied_lines import ABSENT
from projections.queries.row_stream import ROWS_AT_ONCE, Rows, RowStream
from projections.schema.column_kinds import ColumnKind, column_kind

# Lines take little room, and a writer of Parquet takes none while it packs a row group of several chunks.
CHUNKS_AHEAD = 4
# The elements that hold the brackets of a line, at its ends: they are no columns.
_BEFORE, _AFTER = "[", "]"
_BACKSLASH = b"\\"


def arrow_chunks(reading: RowStream, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[list[Any]]:
    """Yield the rows in chunks: an array of each column, of texts or of whole numbers as they are stored."""
    for arrays in uncounted_chunks(reading, rows_at_once):
        yield arrays
        reading.pass_on(len(arrays[0]))


def uncounted_chunks(reading: RowStream, rows_at_once: int) -> Iterator[list[Any]]:
    """Return the same chunks, without counting their rows."""
    if reading.has_masks:
        return map(partial(arrays_of_rows, reading.columns), reading.ahead(reading.row_chunks(rows_at_once)))
    arrays = arrays_of_json if reading.is_sqlite else arrays_of_csv
    return map(partial(arrays, reading.columns), reading.ahead(reading.lines(rows_at_once), CHUNKS_AHEAD))


def arrays_of_rows(columns: Sequence[Column[Any]], rows: Rows) -> list[Any]:
    """Return rows as arrays: texts, or whole numbers of 64 bits."""
    return [
        text_array(values) if column_kind(column) is ColumnKind.TEXT else whole_array(values)
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]


def arrays_of_csv(columns: Sequence[Column[Any]], lines: bytes) -> list[Any]:
    """Return rows as arrays, given lines of CSV as ``copied_lines`` describes them."""
    return _taken_apart(columns, lines, csv.ParseOptions(newlines_in_values=True))


def arrays_of_json(columns: Sequence[Column[Any]], lines: bytes) -> list[Any]:
    """Return rows as arrays, given a JSON array for each, on a line of its own, with a 0 before and after the columns."""
    if _BACKSLASH in lines:  # JSON writes some characters in ways that CSV does not know; all of these ways have one.
        decode = msgspec.json.Decoder(list[str | int | None]).decode
        return arrays_of_rows(columns, [decode(line)[1:-1] for line in lines.splitlines()])
    return _taken_apart(columns, lines, csv.ParseOptions(double_quote=False), (_BEFORE,), (_AFTER,))


def _taken_apart(
    columns: Sequence[Column[Any]],
    lines: bytes,
    how: csv.ParseOptions,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> list[Any]:
    """Return the columns of lines; what stands before and after them is left out."""
    names = [column.name for column in columns]
    table = csv.read_csv(
        pa.BufferReader(lines),
        csv.ReadOptions(column_names=[*before, *names, *after], use_threads=False, block_size=len(lines) + 1),
        how,
        csv.ConvertOptions(
            check_utf8=False,
            column_types={column.name: _type(column) for column in columns},
            include_columns=names,
            null_values=[ABSENT],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return [column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in table.columns]


def _type(column: Column[Any]) -> Any:
    return pa.string() if column_kind(column) is ColumnKind.TEXT else pa.int64()
