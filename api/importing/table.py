"""CSV: a table of an old handler's database, with a header, whose columns are parameters under these or other names.

RFC 4180, strictly: a stray quotation mark would else swallow rows without a word. A table cannot tell an empty text from
none, so an empty cell is a parameter that was not there.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from api.importing import moments
from api.importing.rows import Item, Row, Unreadable, WrongTable, read
from domain import notification
from domain.errors import NotANotification
from domain.notification import CHARGES, DURATIONS, TEXT_LENGTH_MAX, Notification

PARAMETERS = ("type", "status", "tag", "src", "sig", "r", *DURATIONS, *CHARGES, "p", "email", "voicemail")
RECEIVED_AT, ID, QUERY = "received_at", "id", "query"
NAMES = (*PARAMETERS, RECEIVED_AT, ID, QUERY)
DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}
UTF_16_MARKS = b"\xff\xfe", b"\xfe\xff"

# How the beginnings of what Python says about a table sound in our words; what else it says is as plain as can be.
_IN_OUR_WORDS = {
    "unexpected end of data": "a quotation mark in the row that begins here is never closed, so nothing behind it was read",
    "field larger than": f"it has a value of more than {csv.field_size_limit()} characters, or a quotation mark that is not closed",
    "new-line character": "a carriage return is in it, outside of quotation marks: expected lines that end in LF or CRLF",
}


class Layout(msgspec.Struct, frozen=True):
    """How to read a table: which columns are which parameters, what all rows have in common, and what its texts mean.

    ``columns`` are names of NAMES to column names ("" for none); a column that has such a name already needs no entry.
    """

    columns: Mapping[str, str]
    constants: Mapping[str, str]
    delimiter: str = ","
    timezone: str = "UTC"
    unsigned: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A layout applied to a header: the number of the column for each name, and what goes before every row."""

    width: int
    places: dict[str, int]
    common: list[tuple[str, str]]
    parameters: list[tuple[str, int]]
    timezone: str

    def row(self, line: int, cells: list[str]) -> Row:
        """Return a row of the table; raises ValueError and NotANotification."""
        if len(cells) != self.width:
            msg = f"it has {len(cells)} values: expected {self.width}, one for each column"
            raise ValueError(msg)
        at = moments.tabled(cells[self.places[RECEIVED_AT]], self.timezone)
        return Row(line, self._notification(cells, at), self._id(cells))

    def _notification(self, cells: list[str], at: int) -> Notification:
        if QUERY in self.places:
            return read(cells[self.places[QUERY]].encode(errors="surrogateescape"), at)
        pairs = [*self.common, *[(name, cells[place]) for name, place in self.parameters if cells[place]]]
        return Notification(notification.query(pairs), at, pairs)

    def _id(self, cells: list[str]) -> str | None:
        if ID not in self.places:
            return None
        found = cells[self.places[ID]]
        if not 0 < len(found) <= TEXT_LENGTH_MAX or not found.isprintable():
            msg = f"{ID}={notification.shown(found)!r}: expected 1 to {TEXT_LENGTH_MAX} printable characters"
            raise ValueError(msg)
        return found


def rows(lines: Iterable[bytes], layout: Layout) -> Iterator[Item]:
    """Return what each row of a table holds; raises WrongTable before the first, where the header does not fit."""
    rest = iter(lines)
    first = _first(next(rest, b""))
    texts = chain([first], (line.decode(errors="surrogateescape") for line in rest))
    reader = csv.reader(texts, delimiter=layout.delimiter, strict=True)
    try:
        plan = _plan(next(reader), layout)
    except (csv.Error, WrongTable) as error:
        problem = f"the header cannot be read: {_said(error)}" if isinstance(error, csv.Error) else str(error)
        raise WrongTable(problem + _hint(first, layout.delimiter)) from None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
            if cells:
                yield plan.row(line, cells)
        except StopIteration:
            return
        except (csv.Error, NotANotification, ValueError) as error:
            yield Unreadable(line, _said(error) + _reach(line, reader.line_num))


def _first(line: bytes) -> str:
    """Return the first line as text; raises WrongTable where the file is not UTF-8."""
    if line.startswith(UTF_16_MARKS):
        raise WrongTable('the file is UTF-16, as "Unicode text" from Excel is: expected UTF-8')
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"the file is not UTF-8: its header has the byte 0x{error.object[error.start]:02x}"
        raise WrongTable(msg) from None
    if "\0" in text:
        raise WrongTable("the file is no text in UTF-8: its header has the byte 0x00")
    return text


def _said(error: Exception) -> str:
    said = str(error)
    return next((ours for theirs, ours in _IN_OUR_WORDS.items() if said.startswith(theirs)), said)


def _reach(line: int, until: int) -> str:
    """Return what to say of the lines that a row has, which may be others that a quotation mark drew in."""
    return f" (lines {line} to {until} are this one row)" if until > line else ""


def _hint(first: str, delimiter: str) -> str:
    """Return what to say of a header that the delimiter does not divide, but another might."""
    other = max(DELIMITERS, key=first.count)
    if delimiter in first or other not in first:
        return ""
    return f"; if {DELIMITERS[other]} separates its columns, add --delimiter {DELIMITERS[other]}"


def _plan(header: list[str], layout: Layout) -> Plan:
    wanted = {name: name for name in NAMES if name in header} | dict(layout.columns)
    named = {name: column for name, column in wanted.items() if column and name not in layout.constants}
    for name, column in named.items():
        if header.count(column) != 1:
            msg = f"{name}={column}: expected one column of that name; the header has {_shown(header)}"
            raise WrongTable(msg)
    _check(named, header, layout)
    places = {name: header.index(column) for name, column in named.items()}
    parameters = sorted(
        ((name, place) for name, place in places.items() if name in PARAMETERS), key=lambda each: each[1]
    )
    common = [("f", "tm"), *layout.constants.items()]
    return Plan(len(header), places, common, parameters, layout.timezone)


def _check(named: Mapping[str, str], header: list[str], layout: Layout) -> None:
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
    msg = f"{problem}; the header has {_shown(header)}"
    raise WrongTable(msg)


def _shown(header: list[str]) -> str:
    return ", ".join(notification.shown(column) for column in header) or "no columns"
