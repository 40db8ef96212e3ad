"""Rows as an Excel workbook: texts stay texts, and an amount is a number only where Excel can hold all its digits.

Excel calculates with binary floats, which keep 15 significant digits: numbers with more digits are written as text.
"""

import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy import Column
from xlsxwriter import Workbook
from xlsxwriter.utility import xl_rowcol_to_cell

from domain.errors import LedgerError
from projections.export.sheet_rows import sheet_rows
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


def check_sheet_size(reading: RowStream, rows_max: int = ROWS_MAX) -> None:
    """Raise SheetTooSmall if the rows, or one of the texts, do not fit into a sheet."""
    count = reading.count()
    if count > rows_max:
        msg = f"an xlsx sheet holds {rows_max} rows below its header, and there are {count}: use CSV, or select fewer"
        raise SheetTooSmall(msg)
    for column in reading.columns:
        if column_kind(column) is ColumnKind.TEXT:
            _check_texts(reading, column)


def _check_texts(reading: RowStream, column: Column[Any]) -> None:
    # Excel counts UTF-16 units, of which a character takes two at most.
    for text in reading.longer_than(column, TEXT_UTF16_UNITS_MAX // 2):
        length = len(text.encode("utf-16-le")) // 2
        if length > TEXT_UTF16_UNITS_MAX:
            msg = (
                f"an xlsx cell holds {TEXT_UTF16_UNITS_MAX} characters, and one of {column.name} has {length}: use CSV"
            )
            raise SheetTooSmall(msg)


def write_xlsx(reading: RowStream, out: BinaryIO) -> None:
    """Write a workbook of one sheet: the library makes all but the rows, which are put in as they are read."""
    with ZipFile(io.BytesIO(_workbook_without_rows(reading))) as made, ZipFile(out, "w", ZIP_DEFLATED) as book:
        for part in made.infolist():
            if part.filename != SHEET:
                book.writestr(part, made.read(part), ZIP_DEFLATED)
                continue
            with book.open(_named_as(part), "w", force_zip64=True) as sheet:
                for piece in _sheet(reading, made.read(part)):
                    sheet.write(piece)


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


def _sheet(reading: RowStream, made: bytes) -> Iterator[bytes]:
    """Yield the sheet with its rows in place of the sample."""
    sample = _SAMPLE_ROW.search(made)
    assert sample
    last = xl_rowcol_to_cell(reading.count(), len(reading.columns) - 1)
    yield _DIMENSION.sub(f'<dimension ref="A1:{last}"/>'.encode(), made[: sample.start()])
    row = 2
    for rows in reading.chunks(ROWS_AT_ONCE):
        yield sheet_rows(reading.columns, list(zip(*rows, strict=True)), row, sample[1].decode())
        row += len(rows)
    yield made[sample.end() :]


def _named_as(part: ZipInfo) -> ZipInfo:
    named = ZipInfo(part.filename, part.date_time)
    named.compress_type = ZIP_DEFLATED
    return named
