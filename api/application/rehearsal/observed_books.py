"""The observed books of a ledger: read from an exported file, or from a store's read models.

Both go through the text of an export, so that what is compared is what users get. Each source has a function that returns
``ObservedBooks``, with None for what the source does not have.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from api.application.rehearsal.charged_call import COLUMNS, SUMMED, ChargedCall, TagTotal, plain
from domain.calls.correlation import BY_TAG
from domain.errors import WrongUsage
from domain.ledger import Ledger
from projections.export.text_formats import write_csv
from projections.queries.row_stream import open_row_stream
from projections.queries.selection import Selection
from projections.stores.generations import ReadStore

EXCEL_SAFE = "'"


class NotVerifiable(WrongUsage):
    """The source cannot be compared with the books of a rehearsal; the message says what was expected."""


class ObservedBooks(msgspec.Struct, frozen=True):
    """A ledger's charged calls, and if the source has them, its billing by tag and its other notices.

    ``events`` counts the notices of each line (tag and number), ``quarantine`` has the reason of each quarantined raw
    notice, ``voicemails`` and ``channels`` count file names and numbers.
    """

    rows: list[ChargedCall]
    billing: dict[str, TagTotal] | None = None
    events: Counter[tuple[str, str]] | None = None
    quarantine: dict[bytes, str] | None = None
    voicemails: Counter[str] | None = None
    channels: Counter[str] | None = None


def read_books_file(path: Path) -> ObservedBooks:
    """Read the CSV of ``tringledger export cdrs``; raises NotVerifiable."""
    try:
        content = path.read_bytes().decode()
    except (OSError, UnicodeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise NotVerifiable(msg) from error
    return ObservedBooks(list(_rows(_table(content), str(path))))


def read_ledger_books(ledger: Ledger, store: ReadStore) -> ObservedBooks:
    """Read the read models and the quarantine of a ledger; raises NotVerifiable."""
    check(ledger)

    def exported(model: str) -> Iterator[dict[str, str]]:
        out = io.BytesIO()
        with open_row_stream(ledger, store, model, Selection()) as rows:
            write_csv(rows, out)
        return _table(out.getvalue().decode())

    return ObservedBooks(
        list(_rows(exported("cdrs"), ledger.url)),
        _by_tag(exported("billing")),
        _events(exported("calls")),
        {entry.raw: entry.reason for entry in ledger.store.quarantined(settled=False)},
        Counter(row["voicemail"] for row in exported("voicemails")),
        Counter(row["src"] for row in exported("channels")),
    )


def check(ledger: Ledger) -> None:
    """Raise NotVerifiable if the ledger's settings make any comparison impossible."""
    if ledger.correlation == BY_TAG:
        raise NotVerifiable(
            "this ledger's correlation is tag, and the platform calls many numbers under one tag: expected tag-src"
        )


def _table(content: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(content, newline=""), restval="")


def _rows(table: Iterable[dict[str, str]], where: str) -> Iterator[ChargedCall]:
    for row in table:
        missing = [name for name in COLUMNS if name not in row]
        if missing:
            msg = f"{where} has no column {missing[0]}: expected the CSV of `tringledger export cdrs`"
            raise NotVerifiable(msg)
        if row["src"].startswith(EXCEL_SAFE):
            msg = f"{where} was exported with --excel-safe, which changes texts: expected an export without"
            raise NotVerifiable(msg)
        yield ChargedCall(**{name: row[name] for name in COLUMNS})


def _events(calls: Iterable[dict[str, str]]) -> Counter[tuple[str, str]]:
    events: Counter[tuple[str, str]] = Counter()
    for row in calls:
        events[row["tag"], row["src"]] += int(row["events"])
    return events


def _by_tag(billing: Iterable[dict[str, str]]) -> dict[str, TagTotal]:
    """Add up the months of each account, which is the tag unless a tariff maps it."""
    names = ("calls", "answered", *SUMMED)
    sums: dict[str, list[Decimal]] = {}
    for row in billing:
        before = sums.get(row["account"], [Decimal(0)] * len(names))
        sums[row["account"]] = [value + Decimal(row[name]) for name, value in zip(names, before, strict=True)]
    return {tag: TagTotal(tag, *map(plain, values)) for tag, values in sums.items()}
