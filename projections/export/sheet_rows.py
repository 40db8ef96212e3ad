"""Rows of an Excel sheet as XML, made column by column with Arrow: a small part of the work of a library that writes cell by cell.

A text is an inline string in a cell of the format "text". A number has at most 15 significant digits: others are texts.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import pyarrow as pa
from pyarrow import compute
from sqlalchemy import Column
from xlsxwriter.utility import xl_col_to_name

from projections.arrow_columns import whole_array
from projections.export import csv_lines
from projections.schema.column_kinds import ColumnKind, column_kind

SIGNIFICANT_DIGITS_MAX = 15
LARGE = 10**SIGNIFICANT_DIGITS_MAX
# Texts of these characters alone are written as they are. Of the others some must be written otherwise in XML, or as Excel
# codes it, which begins with _; and white space at the ends must be kept.
_PLAIN = bytes(sorted({*range(ord("!"), ord("~") + 1)} - {*b"&<>_"}))
_CODE = re.compile("(_x[0-9a-fA-F]{4}_)")
_CONTROL = re.compile("([\x00-\x08\x0b-\x1f\ufffe\uffff])")
_NOTHING = pa.scalar(None, pa.string())

_c: Any = compute


class _Beginnings(NamedTuple):
    """What stands in the cells of some rows between the letters of their column and their contents, a text for each row."""

    number: Any
    boolean: Any
    plain: Any
    element: Any


def sheet_rows(columns: Sequence[Column[Any]], stored: Sequence[Any], first: int, text_style: str) -> bytes:
    """Return the elements of some rows, given the array of each column, the number of the first row, and the style of texts."""
    numbers = whole_array(range(first, first + len(stored[0]))).cast(pa.string())
    as_text = f'" s="{text_style}" t="inlineStr">'
    beginnings = _Beginnings(
        *(csv_lines.joined(numbers, end, "") for end in ('"><v>', '" t="b"><v>', f"{as_text}<is><t>", as_text))
    )
    cells = [
        _BY_KIND[column_kind(column)](f'<c r="{xl_col_to_name(place)}', part, beginnings)
        for place, (column, part) in enumerate(zip(columns, stored, strict=True))
    ]
    return csv_lines.bytes_of(csv_lines.joined('<row r="', numbers, '">', *cells, "</row>", ""))


def _cells(letters: str, beginnings: Any, contents: Any, end: str) -> Any:
    """Return cells, absent where their contents are."""
    return _c.binary_join_element_wise(letters, beginnings, contents, end, "", null_handling="emit_null")


def _texts(letters: str, texts: Any, beginnings: _Beginnings) -> Any:
    if csv_lines.bytes_of(texts).translate(None, _PLAIN):
        elements = _not_empty(csv_lines.changed_texts(texts, _element))
        return _cells(letters, beginnings.element, elements, "</c>")
    return _plain_texts(letters, texts, beginnings)


def _plain_texts(letters: str, texts: Any, beginnings: _Beginnings) -> Any:
    return _cells(letters, beginnings.plain, _not_empty(texts), "</t></is></c>")


def _not_empty(texts: Any) -> Any:
    """Return texts without those that are empty: they have no cell."""
    return _c.if_else(_c.not_equal(texts, ""), texts, _NOTHING)


def _element(text: str) -> str:
    """Return the element of an inline string, as Excel codes it."""
    if not text:
        return ""
    coded = _CONTROL.sub(lambda found: f"_x{ord(found[1]):04X}_", _CODE.sub(r"_x005F\1", text))
    kept = ' xml:space="preserve"' if coded[0].isspace() or coded[-1].isspace() else ""
    return f"<is><t{kept}>{escape(coded)}</t></is>"


def _numbers(letters: str, whole: Any, beginnings: _Beginnings) -> Any:
    return _digits(letters, whole, csv_lines.number_texts(whole), beginnings)


def _amounts(letters: str, millionths: Any, beginnings: _Beginnings) -> Any:
    return _digits(letters, millionths, csv_lines.amount_texts(millionths), beginnings)


def _times(letters: str, microseconds: Any, beginnings: _Beginnings) -> Any:
    return _plain_texts(letters, csv_lines.time_texts(microseconds), beginnings)


def _digits(letters: str, whole: Any, texts: Any, beginnings: _Beginnings) -> Any:
    limits = _c.min_max(whole)
    # All are absent where there is no limit.
    if limits["min"].as_py() is None or -LARGE < limits["min"].as_py() <= limits["max"].as_py() < LARGE:
        return _cells(letters, beginnings.number, texts, "</v></c>")
    are_long = whole_array([_is_long(text or "") for text in texts.to_pylist()]).cast(pa.bool_())
    as_numbers = _cells(letters, beginnings.number, texts, "</v></c>")
    return _c.if_else(are_long, _plain_texts(letters, texts, beginnings), as_numbers)


def _is_long(digits: str) -> bool:
    return len(digits.lstrip("-").replace(".", "").lstrip("0")) > SIGNIFICANT_DIGITS_MAX


def _booleans(letters: str, bits: Any, beginnings: _Beginnings) -> Any:
    return _cells(letters, beginnings.boolean, _c.if_else(bits.cast(pa.bool_()), "1", "0"), "</v></c>")


_BY_KIND: dict[ColumnKind, Callable[[str, Any, _Beginnings], Any]] = {
    ColumnKind.TEXT: _texts,
    ColumnKind.NUMBER: _numbers,
    ColumnKind.AMOUNT: _amounts,
    ColumnKind.TOTAL: _amounts,
    ColumnKind.TIME: _times,
    ColumnKind.BOOLEAN: _booleans,
}
