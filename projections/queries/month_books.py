"""The books of months as a closing keeps them: rows, digest and money, so that the month's total is itself an event.

The digest is over a list of columns that never changes (``entries/1``), whatever columns entries get later.
"""

from collections.abc import Iterable
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, select

from domain.events.operator_events import MonthBooks
from projections.queries.row_stream import ROWS_AT_ONCE
from projections.rows.folded_entries import ENTRIES_1, ENTRY_COLUMNS
from projections.schema.tables import ENTRIES

MONEY = ("cost", "sip_credits", "price", "margin")

_lines = msgspec.json.Encoder().encode_lines


def load_month_books(connection: Connection, closed: str, period: str) -> list[MonthBooks]:
    """Return the books of each month after ``closed`` and up to ``period`` that has entries, and of ``period`` in any case."""
    wanted = select(ENTRIES.c.period).where(ENTRIES.c.period > closed, ENTRIES.c.period <= period).distinct()
    months = sorted({period, *connection.execute(wanted).scalars()})
    return [_books(connection, month) for month in months]


def _books(connection: Connection, month: str) -> MonthBooks:
    columns = [ENTRIES.c[name] for name in ENTRY_COLUMNS]
    order = (ENTRIES.c.position, ENTRIES.c.number, ENTRIES.c.call_id)
    query = select(*columns).where(ENTRIES.c.period == month).order_by(*order)
    with connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
        return digest_entries(month, (tuple(row) for row in rows))


def digest_entries(month: str, rows: Iterable[tuple[object, ...]]) -> MonthBooks:
    """Return the books of a month from its entries, in the order of position, number and call."""
    digest = sha256(_lines([ENTRY_COLUMNS]))
    places = {name: ENTRY_COLUMNS.index(name) for name in MONEY}
    count, money = 0, dict.fromkeys(MONEY, 0)
    for row in rows:
        digest.update(_lines([row]))
        count += 1
        for name, place in places.items():
            amount = row[place]
            assert isinstance(amount, int)
            money[name] += amount
    return MonthBooks(month, ENTRIES_1, count, digest.hexdigest(), money)
