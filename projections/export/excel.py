"""Rows as an Excel workbook: texts stay texts, and an amount is a number only where Excel can hold all its digits.

Excel calculates with binary floats, which keep 15 significant digits: numbers with more digits are written as text.
"""

import io
import re
from collections.abc import Iterator
from typing import IO, Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy import Column
from xlsxwriter import Workbook
from xlsxwriter.utility import xl_rowcol_to_cell

from domain.errors import LedgerError
from projections.export.sheet_rows import sheet_rows
from projections.queries.arrow_chunks import uncounted_chunks
from projections.queries.row_stream import RowStream
from projections.schema.column_kinds import ColumnKind, column_kind

ROWS_MAX = 1_048_575
TEXT_UTF16_UNITS_MAX = 32_767
ROWS_AT_ONCE = 2_000

OPTIONS = {"in_memory": True, "constant_memory": False}
SHEET = "xl/worksheets/sheet1.xml"
SAMPLE = "sample"
_SAMPLE_ROW = re.compile(rb'<row r="2"[^>]*><c r="A2" s="([0-9]+)".*?</row>')
_DIMENSION = re.compile(rb'<dimension ref="[A-Z0-9:]*"/>')


class SheetTooSmall(LedgerError):
    """The rows or texts do not fit into an Excel sheet; the message names a format that can hold them."""


def check_sheet_size(reading: RowStream, rows_max: int | None = None) -> None:
    """Raise SheetTooSmall if the rows, ROWS_MAX unless said otherwise, or one of the texts do not fit into a sheet."""
    rows_max = ROWS_MAX if rows_max is None else rows_max
    count = reading.count()
    if count > rows_max:
        msg = f"an xlsx sheet holds {rows_max} rows below its header, and there are {count}: use CSV, or select fewer"
        raise SheetTooSmall(msg)
    texts = [column for column in reading.columns if column_kind(column) is ColumnKind.TEXT]
    # Excel counts UTF-16 units, of which a character takes two at most.
    for row in reading.with_longer_texts(texts, TEXT_UTF16_UNITS_MAX // 2) if texts else ():
        for column, text in zip(texts, row, strict=True):
            _check_text(column, text)


def _check_text(column: Column[Any], text: str) -> None:
    length = len(text.encode("utf-16-le")) // 2
    if length > TEXT_UTF16_UNITS_MAX:
        msg = f"an xlsx cell holds {TEXT_UTF16_UNITS_MAX} characters, and one of {column.name} has {length}: use CSV"
        raise SheetTooSmall(msg)


def write_xlsx(reading: RowStream, out: BinaryIO) -> None:
    """Write a workbook of one sheet: the library makes all but the rows, which are put in as they are read."""
    with ZipFile(io.BytesIO(_workbook_without_rows(reading))) as made, ZipFile(out, "w", ZIP_DEFLATED) as book:
        for part in made.infolist():
            if part.filename != SHEET:
                book.writestr(part, made.read(part), ZIP_DEFLATED)
                continue
            with book.open(_named_as(part), "w", force_zip64=True) as sheet:
                _write_sheet(reading, made.read(part), sheet)


def _workbook_without_rows(reading: RowStream) -> bytes:
    """Return a workbook with the heading, and one text below it that shows what style texts have."""
    out = io.BytesIO()
    with Workbook(out, OPTIONS) as book:
        sheet = book.add_worksheet(reading.model)
        heading = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        for number, name in enumerate(reading.column_names):
            sheet.write_string(0, number, name, heading)
        # A cell of the format "text" stays text when it is edited.
        sheet.write_string(1, 0, SAMPLE, book.add_format({"num_format": "@"}))
    return out.getvalue()


def _write_sheet(reading: RowStream, made: bytes, sheet: IO[bytes]) -> None:
    """Write the sheet with its rows in place of the sample."""
    sample = _SAMPLE_ROW.search(made)
    assert sample
    last = xl_rowcol_to_cell(reading.count(), len(reading.columns) - 1)
    sheet.write(_DIMENSION.sub(f'<dimension ref="A1:{last}"/>'.encode(), made[: sample.start()]))
    # The next rows are made while these are packed.
    for count, elements in reading.ahead(_sheet_rows(reading, sample[1].decode())):
        sheet.write(elements)
        reading.pass_on(count)
    sheet.write(made[sample.end() :])


def _sheet_rows(reading: RowStream, text_style: str) -> Iterator[tuple[int, bytes]]:
    """Yield the elements of rows, some at once, and how many they are."""
    row = 2
    for arrays in uncounted_chunks(reading, ROWS_AT_ONCE):
        count = len(arrays[0])
        yield count, sheet_rows(reading.columns, arrays, row, text_style)
        row += count


def _named_as(part: ZipInfo) -> ZipInfo:
    named = ZipInfo(part.filename, part.date_time)
    named.compress_type = ZIP_DEFLATED
    return named
