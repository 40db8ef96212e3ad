"""Finds out that a file is of another format than the one that was named, from its beginning.

A file whose first lines cannot be read gives one error with the right option, and not an unreadable line for each line.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from api.application.importing.access_log import looks_like_access_log
from api.application.importing.rows import ACCESS_LOG, CSV, NDJSON, Format, Item, SkippedLine, UnreadableRow, WrongTable
from api.application.importing.strict_csv import DELIMITERS, UTF_16, UTF_16_MARKS

FIRST_ITEMS = 20
UTF_8_MARK = b"\xef\xbb\xbf"
_JSON_NAMES = (b'"received_at"', b'"query"')


def checked_format(kind: str, rows: Format) -> Format:
    """Return a format that passes over a UTF-8 mark, and raises WrongTable if a file looks like another format."""

    def read(lines: Iterable[bytes]) -> Iterator[Item]:
        rest = iter(lines)
        begun = list(_beginning(rest))
        _check_encoding(begun)
        if begun:
            begun[0] = begun[0].removeprefix(UTF_8_MARK)
        other = _hint(kind, begun[-1]) if begun else ""
        try:
            items = rows(chain(begun, rest))
            first = list(islice(items, FIRST_ITEMS))
        except WrongTable as error:
            msg = f"{error}{other and '; '}{other}"
            raise WrongTable(msg) from None
        read_some = any(not isinstance(item, UnreadableRow) and item is not SkippedLine.BLANK for item in first)
        if other and first and not read_some:
            raise WrongTable(other)
        return chain(first, items)

    return lambda lines: _deferred(read, lines)


def _deferred(read: Format, lines: Iterable[bytes]) -> Iterator[Item]:
    """Read when the first item is asked for, as other formats do."""
    yield from read(lines)


def _beginning(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Return the lines up to the first one that is not blank."""
    for line in lines:
        yield line
        if line.removeprefix(UTF_8_MARK).strip():
            return


def _check_encoding(begun: list[bytes]) -> None:
    if begun and begun[0].startswith(UTF_16_MARKS):
        raise WrongTable(UTF_16)


def _hint(kind: str, line: bytes) -> str:
    """Return which other format a line looks like, and the option for it, or an empty text."""
    for name, what, found in (
        (NDJSON, "one JSON object a line", line.lstrip().startswith(b"{") and all(n in line for n in _JSON_NAMES)),
        (ACCESS_LOG, "an access log", looks_like_access_log(line)),
        (CSV, "CSV", _looks_like_csv(line)),
    ):
        if found:
            return f"this looks like {what}: `--format {name}`" if name != kind else ""
    if line.lstrip().startswith(b"[") and kind == NDJSON:
        return "this looks like a JSON array; expected one JSON object a line, as `jq -c '.[]'` writes"
    return ""


def _looks_like_csv(line: bytes) -> bool:
    """Whether a line looks like a header: two names or more between separators, none of them empty."""
    text = line.decode(errors="replace").strip()
    if text.startswith(("{", "[")):
        return False
    names = (text.split(delimiter) for delimiter in DELIMITERS)
    return any(len(found) > 1 and all(name.strip('" ') and not name.isdigit() for name in found) for found in names)
