"""CSV: a table of an earlier handler, whose columns are parameters under their own or other names.

A table cannot distinguish an empty text from a missing one, so an empty cell means that the parameter is missing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from api.application.importing import strict_csv as delimited
from api.application.importing import timestamps as moments
from api.application.importing.rows import ImportedRow, Item, WrongTable, read_row
from api.application.importing.strict_csv import header_shown
from domain.notices import notification
from domain.notices.notification import CHARGES, DURATIONS, TEXT_LENGTH_MAX, Notification

PARAMETERS = ("type", "status", "tag", "src", "sig", "r", *DURATIONS, *CHARGES, "p", "email", "voicemail")
RECEIVED_AT, ID, QUERY = "received_at", "id", "query"
NAMES = (*PARAMETERS, RECEIVED_AT, ID, QUERY)
_EXPONENT = re.compile(r"[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+")


class TableLayout(msgspec.Struct, frozen=True):
    """How to read a table: its columns, constants, delimiter, time zone, and the texts that stand for an empty cell.

    In the hour that comes twice when clocks go back, ``fold`` says which time is meant, 0 or 1; None if that is not known.
    ``columns`` maps names of NAMES to column names ("" for none); columns that have such a name need no entry.
    """

    columns: Mapping[str, str]
    constants: Mapping[str, str]
    delimiter: str = ","
    timezone: str = "UTC"
    unsigned: bool = False
    nulls: frozenset[str] = frozenset()
    fold: int | None = None


class TablePlan(msgspec.Struct, frozen=True):
    """A layout applied to a header: the column number for each name, and the parameters common to all rows."""

    places: dict[str, int]
    common: list[tuple[str, str]]
    parameters: list[tuple[str, int]]
    layout: TableLayout

    def row(self, line: int, cells: list[str]) -> ImportedRow:
        """Return a row of the table; raises ValueError and NotANotification."""
        if self.layout.nulls:
            cells = ["" if cell in self.layout.nulls else cell for cell in cells]
        at = moments.read_table_time(cells[self.places[RECEIVED_AT]], self.layout.timezone, fold=self.layout.fold)
        return ImportedRow(line, self._notification(cells, at), self._id(cells))

    def _notification(self, cells: list[str], at: int) -> Notification:
        if QUERY in self.places:
            return read_row(cells[self.places[QUERY]].encode(errors="surrogateescape"), at)
        pairs = [*self.common, *[(name, cells[place]) for name, place in self.parameters if cells[place]]]
        _check_src(pairs)
        return Notification(notification.encode_query(pairs), at, pairs)

    def _id(self, cells: list[str]) -> str | None:
        if ID not in self.places:
            return None
        found = cells[self.places[ID]]
        if not 0 < len(found) <= TEXT_LENGTH_MAX or not found.isprintable():
            msg = f"{ID}={notification.shorten(found)!r}: expected 1 to {TEXT_LENGTH_MAX} printable characters"
            raise ValueError(msg)
        return found


def _check_src(pairs: list[tuple[str, str]]) -> None:
    """Raise ValueError for a phone number in exponent notation: a spreadsheet has lost its last digits."""
    for name, value in pairs:
        if name == "src" and _EXPONENT.fullmatch(value):
            msg = f"src={value!r}: expected all digits of the number; a spreadsheet has lost some: export the column as text"
            raise ValueError(msg)


def table_rows(lines: Iterable[bytes], layout: TableLayout) -> Iterator[Item]:
    """Return a row for each row of the table; raises WrongTable first if the header does not fit."""
    return delimited.read_csv(lines, layout.delimiter, lambda header: _plan(header, layout).row)


def _plan(header: list[str], layout: TableLayout) -> TablePlan:
    wanted = {name: name for name in NAMES if name in header} | dict(layout.columns)
    named = {name: column for name, column in wanted.items() if column and name not in layout.constants}
    for name, column in named.items():
        if header.count(column) != 1:
            msg = f"{name}={column}: expected one column of that name; the header has {header_shown(header)}"
            raise WrongTable(msg)
    _check(named, header, layout)
    places = {name: header.index(column) for name, column in named.items()}
    parameters = sorted(
        ((name, place) for name, place in places.items() if name in PARAMETERS), key=lambda each: each[1]
    )
    common = [("f", "tm"), *layout.constants.items()]
    return TablePlan(places, common, parameters, layout)


def _check(named: Mapping[str, str], header: list[str], layout: TableLayout) -> None:
    signed = [name for name in ("sig", QUERY) if name in named]
    if RECEIVED_AT not in named:
        problem = f"there is no time: expected a column {RECEIVED_AT}, or --column {RECEIVED_AT}=COLUMN"
    elif QUERY not in named and "type" not in {*named, *layout.constants}:
        problem = "there is no type: expected a column type, --column type=COLUMN, or --set type=cdr"
    elif not signed and not layout.unsigned:
        problem = "there is no signature: expected a column sig or query, or --unsigned with --by and --reason"
    elif QUERY in named and {*layout.constants, *layout.columns} & {*PARAMETERS}:
        problem = f"the parameters are in {named[QUERY]}: expected neither --set nor --column for one of them"
    elif signed and layout.unsigned:
        problem = f"there are signatures, in {named[signed[0]]}: expected none with --unsigned (--column {signed[0]}= leaves them out)"
    else:
        return
    msg = f"{problem}; the header has {header_shown(header)}"
    raise WrongTable(msg)
