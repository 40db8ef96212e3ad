"""CSV with a header (RFC 4180), read strictly: otherwise a stray quotation mark would silently swallow rows."""

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar

from api.application.importing.rows import UnreadableRow, WrongTable
from domain.errors import NotANotification
from domain.notices import notification

DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}
UTF_16_MARKS = b"\xff\xfe", b"\xfe\xff"
UTF_16 = 'the file is UTF-16, as "Unicode text" from Excel is: expected UTF-8'

Made = TypeVar("Made")
# Makes a row of the cells of the row that begins on a line; raises ValueError and NotANotification.
Row = Callable[[int, list[str]], Made]

# Plainer words for some of Python's messages about tables, by their beginnings.
_IN_OUR_WORDS = {
    "unexpected end of data": "a quotation mark in the row that begins here is never closed, so nothing behind it was read",
    "field larger than": f"it has a value of more than {csv.field_size_limit()} characters, or a quotation mark that is not closed",
    "new-line character": "a carriage return is in it, outside of quotation marks: expected lines that end in LF or CRLF",
}


def read_csv(
    lines: Iterable[bytes], delimiter: str, plan: Callable[[list[str]], Row[Made]]
) -> Iterator[Made | UnreadableRow]:
    """Return a row for each row of the table, as planned from the header; raises InvalidTable if the header cannot be read.

    After the header, bytes that are not UTF-8 become lone surrogates.
    """
    rest = iter(lines)
    first = _first(next(rest, b""))
    texts = chain([first], (line.decode(errors="surrogateescape") for line in rest))
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        header = next(reader)
        made = plan(header)
    except (csv.Error, WrongTable) as error:
        problem = f"the header cannot be read: {_said(error)}" if isinstance(error, csv.Error) else str(error)
        raise WrongTable(problem + _hint(first, delimiter)) from None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
            if cells:
                yield made(line, _checked(cells, len(header)))
        except StopIteration:
            return
        except (csv.Error, NotANotification, ValueError) as error:
            yield UnreadableRow(line, _said(error) + _reach(line, reader.line_num))


def header_shown(header: list[str]) -> str:
    """Return the names of a header's columns, safe to print."""
    return ", ".join(notification.shorten(column) for column in header) or "no columns"


def _checked(cells: list[str], width: int) -> list[str]:
    if len(cells) != width:
        msg = f"it has {len(cells)} values: expected {width}, one for each column"
        raise ValueError(msg)
    return cells


def _first(line: bytes) -> str:
    """Return the first line as text; raises InvalidTable if it is not UTF-8."""
    if line.startswith(UTF_16_MARKS):
        raise WrongTable(UTF_16)
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"the file is not UTF-8: its header has the byte 0x{error.object[error.start]:02x}"
        raise WrongTable(msg) from None
    if "\0" in text:
        raise WrongTable("the file is not text in UTF-8: its header has the byte 0x00")
    return text


def _said(error: Exception) -> str:
    said = str(error)
    return next((ours for theirs, ours in _IN_OUR_WORDS.items() if said.startswith(theirs)), said)


def _reach(line: int, until: int) -> str:
    """Return a note on the lines of a row, since a quotation mark may have drawn in other lines."""
    return f" (lines {line} to {until} are this one row)" if until > line else ""


def _hint(first: str, delimiter: str) -> str:
    """Return a hint if another delimiter would split the header."""
    other = max(DELIMITERS, key=first.count)
    if delimiter in first or other not in first:
        return ""
    return f"; if {DELIMITERS[other]} separates its columns, add --delimiter {DELIMITERS[other]}"
