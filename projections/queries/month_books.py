"""The books of months as a closing keeps them: rows, digest and money, so that the month's total is itself an event.

The digest is over a list of columns that never changes (``entries/1``), whatever columns entries get later.
"""

from collections.abc import Iterable
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, select

from domain.events.operator_events import MonthBooks
from projections.queries.row_stream import ROWS_AT_ONCE
from projections.rows.entry import Entry
from projections.rows.folded_entries import ENTRIES_1, ENTRY_COLUMNS
from projections.schema.tables import ENTRIES

MONEY = ("cost", "sip_credits", "price", "margin")

_lines = msgspec.json.Encoder().encode_lines
_PLACES = {name: ENTRY_COLUMNS.index(name) for name in MONEY}


class OpenBooks:
    """The books of a month as its entries are read, in the order of position, number and call; its closing may add more."""

    def __init__(self, month: str) -> None:
        """Start without entries."""
        self.month = month
        self._digest = sha256(_lines([ENTRY_COLUMNS]))
        self._rows = 0
        self._money = dict.fromkeys(MONEY, 0)

    def add(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Add entries."""
        for row in rows:
            self._digest.update(_lines([row]))
            self._rows += 1
            for name in MONEY:
                amount = row[_PLACES[name]]
                assert isinstance(amount, int)
                self._money[name] += amount

    def closed_with(self, charges: Iterable[Entry] = ()) -> MonthBooks:
        """Return the books with the entries that the closing itself posts to the month; these books stay as they are."""
        closed = OpenBooks(self.month)
        closed._digest, closed._rows, closed._money = self._digest.copy(), self._rows, dict(self._money)
        closed.add(tuple(entry) for entry in charges if entry.period == self.month)
        return MonthBooks(self.month, ENTRIES_1, closed._rows, closed._digest.hexdigest(), closed._money)


def load_open_books(connection: Connection, closed: str, period: str, charged: Iterable[str] = ()) -> list[OpenBooks]:
    """Return the books of each month after ``closed`` and up to ``period`` that has entries or is ``charged``, and of ``period`` in any case."""
    wanted = select(ENTRIES.c.period).where(ENTRIES.c.period > closed, ENTRIES.c.period <= period).distinct()
    months = sorted({period, *charged, *connection.execute(wanted).scalars()})
    return [_books(connection, month) for month in months]


def load_month_books(connection: Connection, closed: str, period: str) -> list[MonthBooks]:
    """Return the books of each month after ``closed`` and up to ``period`` that has entries, and of ``period`` in any case."""
    return [books.closed_with() for books in load_open_books(connection, closed, period)]


def _books(connection: Connection, month: str) -> OpenBooks:
    columns = [ENTRIES.c[name] for name in ENTRY_COLUMNS]
    order = (ENTRIES.c.position, ENTRIES.c.number, ENTRIES.c.call_id)
    query = select(*columns).where(ENTRIES.c.period == month).order_by(*order)
    books = OpenBooks(month)
    with connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
        books.add(tuple(row) for row in rows)
    return books


def digest_entries(month: str, rows: Iterable[tuple[object, ...]]) -> MonthBooks:
    """Return the books of a month from its entries, in the order of position, number and call."""
    books = OpenBooks(month)
    books.add(rows)
    return books.closed_with()
