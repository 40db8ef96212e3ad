"""Read models as files: CSV, Parquet, JSON, NDJSON and Excel, exact in each, and in constant memory.

A file is written as a whole or not at all, and shows the ledger at one position.
"""

import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections import frames
from projections.atomic_file import NotWritten, write_whole
from projections.export.text_formats import csv_parts, json_parts, ndjson_parts, write_csv, write_json, write_ndjson
from projections.queries.row_stream import Progress, RowStream, no_progress, open_row_stream
from projections.queries.selection import Selection
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.stores.generations import ReadStore

# Rows that are read at once for Parquet, and how many times as many make a row group: what is in memory at a time.
PARQUET_ROWS_AT_ONCE, BATCHES_IN_A_ROW_GROUP = 2_000, 10
# Columns whose values hardly ever come twice: a dictionary of them costs time and room.
_DISTINCT = ("call_id", "src", "position")


class Format(StrEnum):
    """The formats of exports."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    NDJSON = "ndjson"
    XLSX = "xlsx"


def write_export(  # noqa: PLR0917  # What, how and where to, in the order of the command line.
    ledger: Ledger,
    store: ReadStore,
    model: str,
    selection: Selection,
    file_format: str,
    out: Path | BinaryIO,
    *,
    excel_safe: bool = False,
    progress: Progress = no_progress,
    sort: str = "",
    columns: Sequence[str] = (),
    reads_ahead: bool = True,
    sheet_rows_max: int | None = None,
) -> int:
    """Write the selected rows of a read model to a file or a binary stream, and return how many there were.

    ``excel_safe`` (for CSV; see ``text_formats.excel_safe_text``) makes texts harmless that a spreadsheet would take for
    formulas or numbers. ``progress`` is called with the number of rows after each chunk. The read models are read as they
    are: catch up before. ``sort`` is a column, with ``-`` before it for descending order; ``columns`` are those that are written, in
    their order, all if none is named. ``reads_ahead`` reads in a thread while what was read is written. Raises SelectionError,
    SheetTooSmall, NotWritten, StoreUnavailable, ReadModelsUnusable, and BrokenPipeError if the reader of the stream is gone.
    """
    form = _format(file_format)
    with open_row_stream(
        ledger, store, model, selection, progress, sort=sort, columns=columns, reads_ahead=reads_ahead
    ) as rows:
        if form is Format.XLSX:
            # The library of workbooks takes memory, which no other format needs.
            from projections.export.excel import check_sheet_size  # noqa: PLC0415

            check_sheet_size(rows, sheet_rows_max)
        try:
            _write(rows, form, out, excel_safe=excel_safe)
        except BrokenPipeError:
            raise
        except OSError as error:
            where = out if isinstance(out, Path) else "the output"
            msg = f"the export cannot be written to {where}: {error.strerror or error}"
            raise NotWritten(msg) from error
        return rows.done


def _format(name: str) -> Format:
    try:
        return Format(name)
    except ValueError:
        msg = f"{name!r} is not a format: expected one of {', '.join(Format)}"
        raise LedgerError(msg) from None


def _write(rows: RowStream, form: Format, out: Path | BinaryIO, *, excel_safe: bool) -> None:
    with _opened(out, form) as stream:
        if form is Format.CSV:
            write_csv(rows, stream, excel_safe=excel_safe)
        elif form is Format.JSON:
            write_json(rows, stream)
        elif form is Format.NDJSON:
            write_ndjson(rows, stream)
        elif form is Format.XLSX:
            from projections.export.excel import write_xlsx  # noqa: PLC0415

            write_xlsx(rows, stream)
        else:
            write_parquet(rows, stream)


@contextmanager
def _opened(out: Path | BinaryIO, form: Format) -> Iterator[BinaryIO]:
    if not isinstance(out, Path):
        with _streamed(out, form) as stream:
            yield stream
    elif _is_stream(out):
        with out.open("wb") as device, _streamed(device, form) as stream:
            yield stream
    else:
        with write_whole(out) as file:
            yield file


def _is_stream(path: Path) -> bool:
    """Whether a path is a pipe or a device, such as /dev/stdout, which must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _streamed(out: BinaryIO, form: Format) -> Iterator[BinaryIO]:
    """Stream text formats; Parquet and Excel files are built in a temporary file and copied when they are complete."""
    if form in (Format.PARQUET, Format.XLSX):
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, out)
    else:
        yield out
    out.flush()


def write_parquet(rows: RowStream, out: BinaryIO) -> None:
    """Write Parquet with the types of the frames, several chunks to a row group."""
    out.writelines(parquet_parts(rows))


def parquet_parts(rows: RowStream) -> Iterator[bytes]:
    """Yield a Parquet file from front to back, row group by row group."""
    batches = frames.arrow_batches(rows, PARQUET_ROWS_AT_ONCE)
    types = frames.arrow_schema(rows)
    written = _ByteCollector()
    alike = [
        column.name
        for column in rows.columns
        if column.name not in _DISTINCT and column_kind(column) is not ColumnKind.TIME
    ]
    with parquet.ParquetWriter(written, types, compression="zstd", use_dictionary=alike) as writer:
        while group := list(islice(batches, BATCHES_IN_A_ROW_GROUP)):
            writer.write_table(pa.Table.from_batches(group, types))
            group.clear()
            pa.default_memory_pool().release_unused()
            yield written.taken()
    yield written.taken()


class _ByteCollector(io.RawIOBase):
    """A file object that collects what is written, and reports positions as a file does."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._length += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def export_parts(rows: RowStream, form: Format, *, excel_safe: bool = False) -> Iterator[bytes]:
    """Yield a file in parts, in constant memory; raises LedgerError for Excel, which cannot be streamed."""
    if form is Format.CSV:
        return csv_parts(rows, excel_safe=excel_safe)
    if form is Format.XLSX:
        msg = f"{form} cannot be made from front to back"
        raise LedgerError(msg)
    return {Format.JSON: json_parts, Format.NDJSON: ndjson_parts, Format.PARQUET: parquet_parts}[form](rows)
