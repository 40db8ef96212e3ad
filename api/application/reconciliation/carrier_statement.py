"""A statement of TringMe: CSV with a header, a JSON array of objects, or one JSON object per line; recognised by its beginning.

Numbers are read from their text, so numbers in JSON do not become binary floats either.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from api.application.importing import strict_csv as delimited
from api.application.importing import timestamps as moments
from api.application.importing.files import OpenedFile
from api.application.importing.rows import UnreadableRow, WrongTable
from api.application.reconciliation import columns
from api.application.reconciliation.columns import SRC, TAG, TIME, CarrierColumns
from domain.notices import notification
from domain.notices.line_number import LINE_RULE_2, line_number

_decode = msgspec.json.Decoder(float_hook=str).decode


class CarrierLayout(NamedTuple):
    """How to read a statement: the columns that the user named, the delimiter, the time zone, and the ledger's line rule."""

    given: Mapping[str, str]
    delimiter: str = ","
    timezone: str = "UTC"
    line_rule: int = LINE_RULE_2


class CarrierRecord(NamedTuple):
    """A record of the statement: its line (or number), tag, phone number, time (microseconds, UTC) and values.

    ``numbers`` are in the order of ``Columns.compared``.
    """

    line: int
    tag: str
    src: str
    at: int
    numbers: tuple[int, ...]


class CarrierStatement(NamedTuple):
    """The columns of a statement, and its records and unreadable lines in order."""

    columns: CarrierColumns
    entries: Iterator[CarrierRecord | UnreadableRow]


def read_carrier_statement(opened: OpenedFile, layout: CarrierLayout) -> CarrierStatement:
    """Open a statement; raises InvalidTable if it is not a statement or its columns are unclear, and CutOff."""
    first = next(opened.lines, b"")
    start = first.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start in (b"[", b"{"):
        return _from_objects(_objects(first, opened), layout)
    found: list[CarrierColumns] = []

    def plan(header: list[str]) -> delimited.Row[CarrierRecord]:
        found.append(columns.find_columns(header, layout.given))
        return lambda line, cells: _entry(found[0], layout, line, cells)

    entries = delimited.read_csv(chain([first], opened.lines), layout.delimiter, plan)
    # The header is read with the first row.
    ahead = next(entries, None)
    return CarrierStatement(found[0], entries if ahead is None else chain([ahead], entries))


def _entry(found: CarrierColumns, layout: CarrierLayout, line: int, cells: list[str]) -> CarrierRecord:
    places = found.places
    tag, src = cells[places[TAG]], cells[places[SRC]] if SRC in places else ""
    for name, text in ((TAG, tag), (SRC, src)):
        if not text.isascii() and text.encode(errors="ignore").decode() != text:
            msg = f"{name}={notification.shorten(text)!r}: expected a text in UTF-8"
            raise ValueError(msg)
    at = moments.read_table_time(cells[places[TIME]], layout.timezone, TIME)
    return CarrierRecord(line, tag, line_number(src, layout.line_rule), at, found.numbers(cells))


def _objects(first: bytes, opened: OpenedFile) -> tuple[list[str], Iterator[tuple[int, Any]]]:
    """Return the names of objects, and the objects with their lines (in an array: with their numbers)."""
    one = _decoded(first)
    if isinstance(one, dict) and not _listed(one):
        rest = ((number, _decoded(line)) for number, line in enumerate(opened.lines, start=2) if line.strip())
        return list(one), chain([(1, one)], rest)
    whole = _decoded(first + opened.whole())
    if isinstance(whole, ValueError):
        msg = f"the JSON cannot be read: {whole}"
        raise WrongTable(msg)
    listed = whole if isinstance(whole, list) else _listed(whole)
    if not listed:
        raise WrongTable("expected a JSON array of objects, or one object a line")
    names = dict.fromkeys(name for each in listed if isinstance(each, dict) for name in each)
    return list(names), iter(enumerate(listed, start=1))


def _listed(whole: dict[str, Any]) -> list[Any] | None:
    """Return the only array of objects in an object."""
    arrays = [value for value in whole.values() if isinstance(value, list) and isinstance([*value, 0][0], dict)]
    return arrays[0] if len(arrays) == 1 else None


def _decoded(text: bytes) -> Any:
    try:
        return _decode(text.removeprefix(b"\xef\xbb\xbf"))
    except msgspec.DecodeError as error:
        return error


def _from_objects(read_: tuple[list[str], Iterator[tuple[int, Any]]], layout: CarrierLayout) -> CarrierStatement:
    names, objects = read_
    found = columns.find_columns(names, layout.given)

    def entries() -> Iterator[CarrierRecord | UnreadableRow]:
        for line, each in objects:
            try:
                yield _entry(found, layout, line, _cells(names, each))
            except ValueError as error:
                yield UnreadableRow(line, str(error))

    return CarrierStatement(found, entries())


def _cells(names: list[str], each: Any) -> list[str]:
    if isinstance(each, ValueError):
        raise each
    if not isinstance(each, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004  # An error in the statement, not in the call.
    other = next((name for name in each if name not in names), None)
    if other is not None:
        msg = f"it has {notification.shorten(other)}, which the first record has not: expected the same names in all"
        raise ValueError(msg)
    return [_text(each.get(name)) for name in names]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
