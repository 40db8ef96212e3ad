"""Compares the expected books with a ledger's, to the last digit: per call, per tag, and all other notices.

Only what the platform knows is compared: its own tags, without lines that have an unanswered notice.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from api.application.rehearsal.charged_call import COLUMNS, ChargedCall, TagTotal, comparable_src, tag_totals
from api.application.rehearsal.expected_books import BooksFile, CallEntry, InvalidRequest
from api.application.rehearsal.observed_books import ObservedBooks
from domain.outcomes import WRONG_SIGNATURE

ABSENT = "(none)"
WHOLE = "(all of it)"
SIGNATURE = "sig"

Line = tuple[str, str]


class BookDifference(NamedTuple):
    """A difference: its kind, tag, number and column, and the value on either side."""

    what: str
    tag: str
    src: str
    column: str
    expected: str
    found: str


def book_differences(books: BooksFile, found: ObservedBooks) -> Iterator[BookDifference]:
    """Yield the differences between the expected books and a ledger's; none if they agree."""
    books = replace(books, calls=[_comparable_call(call) for call in books.calls])
    found = _comparable_books(found)
    unsure = unsure_lines(books.calls)
    tags = {call.tag for call in books.calls}
    rows = [row for row in found.rows if row.tag in tags and (row.tag, row.src) not in unsure]
    owed = [call.row for call in books.calls if call.row and (call.tag, call.src) not in unsure]
    yield from _calls(owed, rows)
    yield from _totals(books.totals, {total.tag: total for total in tag_totals(rows)}, "tag")
    if found.billing is not None:
        settled = tags - {tag for tag, _ in unsure}
        billed = {tag: total for tag, total in found.billing.items() if tag in settled}
        yield from _totals([total for total in books.totals if total.tag in settled], billed, "billing")
    if found.events is not None:
        yield from _events([call for call in books.calls if (call.tag, call.src) not in unsure], found.events)
    if found.quarantine is not None:
        yield from _quarantine(books.unfit, found.quarantine)
    yield from _once("voicemail", books.voicemails, found.voicemails)
    yield from _once("channel", books.channels, found.channels)


def _comparable_call(call: CallEntry) -> CallEntry:
    row = call.row and replace(call.row, src=comparable_src(call.src))
    return replace(call, src=comparable_src(call.src), row=row)


def _comparable_books(found: ObservedBooks) -> ObservedBooks:
    events: Counter[Line] | None = None if found.events is None else Counter()
    for (tag, src), count in (found.events or {}).items():
        assert events is not None
        events[tag, comparable_src(src)] += count
    return replace(found, rows=[replace(row, src=comparable_src(row.src)) for row in found.rows], events=events)


def unsure_lines(calls: Sequence[CallEntry]) -> set[Line]:
    """Return the lines for which it is not known what the ledger has."""
    return {(call.tag, call.src) for call in calls if call.unsure}


def _calls(owed: Sequence[ChargedCall], rows: Sequence[ChargedCall]) -> Iterator[BookDifference]:
    """Remove equal rows, and compare the rest line by line, in order."""
    missing, extra = Counter(owed) - Counter(rows), Counter(rows) - Counter(owed)
    left, right = _by_line(missing), _by_line(extra)
    for line in sorted(left.keys() | right.keys()):
        expected, found = left.get(line, []), right.get(line, [])
        for one, other in zip(expected, found, strict=False):
            yield from _columns(one, other)
        for row in expected[len(found) :]:
            yield BookDifference("call", *line, WHOLE, _shown(row), ABSENT)
        for row in found[len(expected) :]:
            yield BookDifference("call", *line, WHOLE, ABSENT, _shown(row))


def _by_line(rows: Counter[ChargedCall]) -> dict[Line, list[ChargedCall]]:
    lines: dict[Line, list[ChargedCall]] = {}
    for row in rows.elements():
        lines.setdefault((row.tag, row.src), []).append(row)
    return lines


def _columns(expected: ChargedCall, found: ChargedCall) -> Iterator[BookDifference]:
    for column in COLUMNS:
        one, other = getattr(expected, column), getattr(found, column)
        if one != other:
            yield BookDifference("call", expected.tag, expected.src, column, one, other)


def _shown(row: ChargedCall) -> str:
    """Return the values of a whole row."""
    return row.cost if row.sip_credits == "0" else f"{row.cost} and {row.sip_credits} SIP credits"


def _totals(expected: Sequence[TagTotal], found: dict[str, TagTotal], what: str) -> Iterator[BookDifference]:
    by_tag = {total.tag: total for total in expected}
    for tag in sorted(by_tag.keys() | found.keys()):
        one, other = by_tag.get(tag), found.get(tag)
        for column in TagTotal.__struct_fields__[1:]:
            values = [getattr(total, column) if total else ABSENT for total in (one, other)]
            if values[0] != values[1]:
                yield BookDifference(what, tag, "", column, *values)


def _events(calls: Sequence[CallEntry], found: Counter[Line]) -> Iterator[BookDifference]:
    """Compare the number of notices of each line: a missing one need not show in the charges."""
    expected: Counter[Line] = Counter()
    for call in calls:
        expected[call.tag, call.src] += call.events
    for line, count in expected.items():
        if found[line] != count:
            yield BookDifference("notices", *line, "events", str(count), str(found[line]))


def _quarantine(unfit: Sequence[InvalidRequest], quarantine: dict[bytes, str]) -> Iterator[BookDifference]:
    for each in unfit:
        reason = quarantine.get(each.query.encode())
        expected = WRONG_SIGNATURE if each.parameter == SIGNATURE else f"{each.parameter}="
        if reason is None or not reason.startswith(expected):
            yield BookDifference("quarantine", "", "", each.query, expected, ABSENT if reason is None else reason)


def _once(what: str, expected: Sequence[str], found: Counter[str] | None) -> Iterator[BookDifference]:
    if found is None:
        return
    for name in expected:
        if found[name] != 1:
            yield BookDifference(what, "", "", name, "once", f"{found[name]} times")
