"""A statement of TringMe: CSV with a header, a JSON array of objects, or one JSON object per line; recognised by its beginning.

Numbers are read from their text, so numbers in JSON do not become binary floats either.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from api.application.importing import strict_csv as delimited
from api.application.importing import timestamps as moments
from api.application.importing.files import OpenedFile
from api.application.importing.rows import UnreadableRow, WrongTable
from api.application.reconciliation import columns
from api.application.reconciliation.columns import PLAIN_NUMBERS, SRC, TAG, TIME, CarrierColumns, NumberFormat
from domain import times
from domain.notices import notification
from domain.notices.line_number import LINE_RULE_2, line_number

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
DIGITS_MAX = 50
_SECONDS_BEFORE = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")


class CarrierLayout(NamedTuple):
    """How to read a statement: the columns that the user named, the delimiter, the time zone, and the ledger's line rule.

    ``records`` is the path to the records in JSON, names joined by points. ``date_format`` is the form of times (as in
    strptime), ``relative_to`` the time (microseconds, UTC) before which they count in seconds.
    """

    given: Mapping[str, str]
    delimiter: str = ","
    timezone: str = "UTC"
    line_rule: int = LINE_RULE_2
    records: str | None = None
    numbers: NumberFormat = PLAIN_NUMBERS
    date_format: str | None = None
    relative_to: int | None = None

    def times(self, text: str) -> tuple[int, ...]:
        """Return the moments that a time can mean, two in the hour that comes twice; raises ValueError."""
        if self.relative_to is None:
            return moments.read_time_readings(text, self.timezone, TIME, self.date_format)
        if not _SECONDS_BEFORE.fullmatch(text):
            msg = f"{TIME}={notification.shorten(text)!r}: expected seconds before the time of --relative-to"
            raise ValueError(msg)
        whole, _, fraction = text.partition(".")
        before = int(whole) * times.SECOND + int(fraction.ljust(6, "0") or 0)
        if before > self.relative_to:
            msg = f"{TIME}={text!r}: expected seconds that do not reach before 1970"
            raise ValueError(msg)
        return (self.relative_to - before,)


class CarrierRecord(NamedTuple):
    """A record of the statement: its line (or number), tag, phone number, times (microseconds, UTC) and values.

    ``at`` and ``or_at`` are both readings of a local time in the hour that comes twice, else they are equal. ``numbers`` are in the order of ``Columns.compared``.
    """

    line: int
    tag: str
    src: str
    at: int
    or_at: int
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
        return _from_objects(_objects(first, opened, layout.records), layout)
    found: list[CarrierColumns] = []

    def plan(header: list[str]) -> delimited.Row[CarrierRecord]:
        found.append(columns.find_columns(header, layout.given))
        return _record_reader(found[0], layout)

    entries = delimited.read_csv(chain([first], opened.lines), layout.delimiter, plan)
    # The header is read with the first row.
    ahead = next(entries, None)
    return CarrierStatement(found[0], entries if ahead is None else chain([ahead], entries))


def _record_reader(found: CarrierColumns, layout: CarrierLayout) -> delimited.Row[CarrierRecord]:
    tag_place, src_place, time_place = (found.places.get(name) for name in (TAG, SRC, TIME))
    assert tag_place is not None
    assert time_place is not None
    read_times, read_numbers, rule = layout.times, found.number_reader(layout.numbers), layout.line_rule

    def read(line: int, cells: list[str]) -> CarrierRecord:
        tag, src = cells[tag_place], "" if src_place is None else cells[src_place]
        if not (tag.isascii() and src.isascii()):
            _check_text(TAG, tag)
            _check_text(SRC, src)
        at = read_times(cells[time_place])
        return CarrierRecord(line, tag, line_number(src, rule), at[0], at[-1], read_numbers(cells))

    return read


def _check_text(name: str, text: str) -> None:
    if text.encode(errors="ignore").decode() != text:
        msg = f"{name}={notification.shorten(text)!r}: expected a text in UTF-8"
        raise ValueError(msg)


def _objects(first: bytes, opened: OpenedFile, path: str | None) -> tuple[list[str], Iterator[tuple[int, Any]]]:
    """Return the names of objects, and the objects with their lines (in an array: with their numbers)."""
    one = _decoded(first)
    if path is None and isinstance(one, dict) and not _listed(one):
        rest = ((number, _decoded(line)) for number, line in enumerate(opened.lines, start=2) if line.strip())
        return list(one), chain([(1, one)], rest)
    whole = _decoded(first + opened.whole())
    if isinstance(whole, ValueError):
        msg = f"the JSON cannot be read: {whole}"
        raise WrongTable(msg)
    listed = _at_path(whole, path) if path else whole if isinstance(whole, list) else _listed(whole)
    if not listed:
        raise WrongTable("expected a JSON array of objects, or one object a line")
    names = dict.fromkeys(name for each in listed if isinstance(each, dict) for name in each)
    return list(names), iter(enumerate(listed, start=1))


def _at_path(whole: Any, path: str) -> list[Any]:
    """Return the array at a path of names; raises WrongTable if there is none. An object there is one record."""
    for name in path.split("."):
        if not isinstance(whole, dict) or name not in whole:
            names = ", ".join(map(notification.shorten, whole)) if isinstance(whole, dict) else "no names"
            msg = f"--records {path}: there is no {name!r}; got {names}"
            raise WrongTable(msg)
        whole = whole[name]
    if not isinstance(whole, list | dict):
        msg = f"--records {path}: expected an array of objects there"
        raise WrongTable(msg)
    return whole if isinstance(whole, list) else [whole]


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
    read = _record_reader(found, layout)

    def entries() -> Iterator[CarrierRecord | UnreadableRow]:
        for line, each in objects:
            try:
                yield read(line, _cells(names, each))
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
    """Return a value as text; numbers of JSON by their value, so that 60.0 is 60 and 1.0e-5 is 0.00001."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        if abs(value.adjusted()) > DIGITS_MAX:
            return str(value)
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
