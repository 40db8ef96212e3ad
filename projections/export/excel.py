"""Rows as an Excel workbook: texts stay texts, and an amount is a number only where Excel can hold all its digits.

Excel calculates with binary floats, which keep 15 significant digits: numbers with more digits are written as text.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Column
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from domain.amounts import plain
from domain.errors import LedgerError
from domain.times import iso
from projections.atomic_file import PREFIX
from projections.queries.row_stream import RowStream
from projections.schema.column_kinds import ColumnKind, column_kind

ROWS_MAX = 1_048_575
TEXT_UTF16_UNITS_MAX = 32_767
SIGNIFICANT_DIGITS_MAX = 15

OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_zip64": True,
}

Write = Callable[[int, int, Any], object]


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


def write_xlsx(reading: RowStream, out: BinaryIO, scratch: Path | None = None) -> None:
    """Write a workbook of one sheet; ``scratch`` is a directory with room for the sheet while it is built."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=scratch) as directory:
        target = _StreamTarget(out)
        book = Workbook(target, {**OPTIONS, "tmpdir": directory})
        sheet = book.add_worksheet(reading.model)
        try:
            _fill(reading, book, sheet)
            book.close()
        except FileCreateError as error:
            failure: OSError = error.args[0]
            raise failure from None
        finally:
            target.let_go()
            with suppress(OSError):
                sheet.row_data_fh.close()


class _StreamTarget:
    """The output stream of a workbook, with the methods that a zip file needs.

    After a failure the library leaves its zip file to the destructor, which would write to a closed stream.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out: BinaryIO | None = out

    def let_go(self) -> None:
        self._out = None

    def write(self, data: bytes) -> int:
        return self._out.write(data) if self._out else len(data)

    def tell(self) -> int:
        return self._out.tell() if self._out else 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._out.seek(offset, whence) if self._out else 0

    def flush(self) -> None:
        if self._out:
            self._out.flush()


def _fill(reading: RowStream, book: Any, sheet: Any) -> None:
    heading = book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    for number, name in enumerate(reading.column_names):
        sheet.write_string(0, number, name, heading)
    writes = _writes(reading, book, sheet)
    row = 0
    for rows in reading.chunks():
        for values in rows:
            row += 1
            for number, (write, value) in enumerate(zip(writes, values, strict=True)):
                if value is not None:
                    write(row, number, value)


def _writes(reading: RowStream, book: Any, sheet: Any) -> list[Write]:
    """Return a function for each column that writes one of its values."""
    # A cell of the format "text" stays text when it is edited.
    text = partial(_write_text, sheet, [book.add_format(), book.add_format({"num_format": "@"})])
    by_kind: dict[ColumnKind, Write] = {
        ColumnKind.TEXT: text,
        ColumnKind.NUMBER: lambda row, number, value: _write_number(sheet, text, row, number, str(value)),
        ColumnKind.AMOUNT: lambda row, number, value: _write_number(sheet, text, row, number, plain(value)),
        ColumnKind.TOTAL: lambda row, number, value: _write_number(sheet, text, row, number, plain(value)),
        ColumnKind.TIME: lambda row, number, value: text(row, number, iso(value)),
        ColumnKind.BOOLEAN: lambda row, number, value: sheet.write_boolean(row, number, bool(value)),
    }
    return [by_kind[column_kind(column)] for column in reading.columns]


def _write_text(sheet: Any, formats: list[Any], row: int, number: int, text: str) -> None:
    font, as_text = formats
    if text.startswith("<r>") and text.endswith("</r>"):
        # The library would take this for the XML of a text in several fonts; as two pieces of one font it is escaped.
        sheet.write_rich_string(row, number, text[:1], font, text[1:], as_text)
    elif text:
        sheet.write_string(row, number, text, as_text)


def _write_number(sheet: Any, as_text: Write, row: int, number: int, digits: str) -> None:
    if len(digits.lstrip("-").replace(".", "").lstrip("0")) > SIGNIFICANT_DIGITS_MAX:
        as_text(row, number, digits)
    else:
        sheet.write_number(row, number, Decimal(digits))
