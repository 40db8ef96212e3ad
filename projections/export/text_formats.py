"""Rows as text: CSV for spreadsheets and databases (its lines are made by csv_lines.py), JSON and NDJSON for programs (SPEC 8).

Amounts are plain decimals, in JSON as strings, because most JSON readers turn numbers into floats.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec

from domain.amounts import plain
from domain.times import iso
from projections.queries.row_stream import Rows, RowStream
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.read_models import READ_MODELS

_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  # A Japanese Excel takes the wide ones too.
_ANY_DIGIT = re.compile(r"\d")
# Columns of days and months: a spreadsheet may take these for dates.
DATE_COLUMNS = {model.date_column for model in READ_MODELS}

_NUMBER_OR_DATE = re.compile(r"[\d\s.,:/+\-()%$€£¥']+(?:e[+\-]?\d+)?\s*(?:[ap]m?)?\s*", re.IGNORECASE)
_MONTH_NAME = re.compile(
    r"[\d\s.,/\-]*(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)[\d\s.,/\-]*",
    re.IGNORECASE,
)

TextChange = Callable[[Any], object]


def _optional(change: TextChange) -> TextChange:
    return lambda value: None if value is None else change(value)


_VALUES: dict[ColumnKind, TextChange] = {
    ColumnKind.AMOUNT: _optional(plain),
    ColumnKind.TOTAL: _optional(plain),
    ColumnKind.TIME: _optional(iso),
    ColumnKind.BOOLEAN: bool,
}


def excel_safe_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, a number or a date.

    The well-known way (OWASP's on CSV injection) is an apostrophe before it. It is put before a text that begins, after
    any white space, with ``=``, ``+``, ``-``, ``@``, their wide forms, a tab or a line break, and before one that looks
    like a number or a date: 18585550001 would become 1.8586E+10, 0049 would lose its zeros, 1-2 become a day. Any
    other text stays as it is.
    """
    if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) or _looks_like_number(text):
        return f"'{text}"
    return text


def _looks_like_number(text: str) -> bool:
    if not _ANY_DIGIT.search(text):
        return False
    return bool(_NUMBER_OR_DATE.fullmatch(text) or _MONTH_NAME.fullmatch(text))


def write_csv(reading: RowStream, out: BinaryIO, *, excel_safe: bool = False) -> None:
    """Write CSV."""
    out.writelines(csv_parts(reading, excel_safe=excel_safe))


def csv_parts(reading: RowStream, *, excel_safe: bool = False) -> Iterator[bytes]:
    """Yield CSV as in RFC 4180, in UTF-8 without a mark: quotes only where needed, absent values empty.

    Texts are written unchanged, or with ``excel_safe`` as ``excel_safe_text`` returns them; amounts, times, periods and days
    are always written unchanged.
    """
    # Arrow is loaded where CSV is written: others need the texts alone.
    from projections.export.csv_lines import changed_texts, csv_heading, csv_lines  # noqa: PLC0415
    from projections.queries.arrow_chunks import arrow_chunks  # noqa: PLC0415

    unsafe = [
        excel_safe and column_kind(column) is ColumnKind.TEXT and column.name not in DATE_COLUMNS
        for column in reading.columns
    ]
    yield csv_heading(reading.column_names)
    for arrays in arrow_chunks(reading):
        safe = (
            changed_texts(array, excel_safe_text) if is_unsafe else array
            for array, is_unsafe in zip(arrays, unsafe, strict=True)
        )
        yield csv_lines(reading.columns, safe)


def write_ndjson(reading: RowStream, out: BinaryIO) -> None:
    """Write one JSON object a line."""
    out.writelines(ndjson_parts(reading))


def ndjson_parts(reading: RowStream) -> Iterator[bytes]:
    """Yield one JSON object a line."""
    for lines in _objects(reading):
        yield b"\n".join([*lines, b""])


def write_json(reading: RowStream, out: BinaryIO) -> None:
    """Write one JSON array of objects, each on a line of its own."""
    out.writelines(json_parts(reading))


def json_parts(reading: RowStream) -> Iterator[bytes]:
    """Yield one JSON array of objects, each on a line of its own."""
    before = b"[\n"
    for lines in _objects(reading):
        yield before + b",\n".join(lines)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _objects(reading: RowStream) -> Iterator[list[bytes]]:
    """Yield rows as JSON objects, many at a time."""
    names, encode = reading.column_names, msgspec.json.Encoder().encode
    changes = [_VALUES.get(column_kind(column)) for column in reading.columns]
    for rows in reading.chunks():
        columns = _changed(rows, changes)
        yield [encode(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def _changed(rows: Rows, changes: Sequence[TextChange | None]) -> Iterator[Sequence[object]]:
    """Yield the values column by column, changed where that is needed: most columns need no change."""
    columns = zip(*rows, strict=True)
    return ([*map(change, column)] if change else column for change, column in zip(changes, columns, strict=True))
