"""The journal as a file: every entry of a selection, in the order of the log, in constant memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import ColumnElement, Connection, func, select

from domain.events.streams import NUMBERS
from domain.ledger import Ledger
from domain.operators.statement_numbering import read_numbers
from projections.atomic_file import map_write_errors
from projections.journal.syntax import journal_texts
from projections.journal.transactions import INCOME, journal_transactions
from projections.queries.conditions import conditions
from projections.queries.row_stream import ROWS_AT_ONCE
from projections.queries.selection import Selection, order
from projections.queries.time_points import SelectionError
from projections.rows.entry import Entry
from projections.schema.tables import CLOSINGS, ENTRIES
from projections.stores.generations import ReadStore

MODEL = "entries"
FILTERS = ("account", "period")

Moved = Callable[[int], None]


def write_journal(  # noqa: PLR0917  # What, how and where to, in the order of the command line.
    ledger: Ledger, store: ReadStore, selection: Selection, language: str, out: Path | BinaryIO, moved: Moved
) -> int:
    """Write a journal in ``hledger``'s or ``beancount``'s language, and return how many entries it has.

    ``moved`` is called with the number of entries written so far. A statement's rounding belongs to an account's whole month,
    so a selection may be by account and month alone: raises SelectionError for others; NotWritten, StoreUnavailable.
    """
    strange = [
        name for name in selection.__struct_fields__ if getattr(selection, name) is not None and name not in FILTERS
    ]
    if strange:
        msg = f"a journal cannot be filtered by {', '.join(strange)}: expected {' or '.join(FILTERS)}"
        raise SelectionError(msg)
    if isinstance(out, Path):
        with map_write_errors(out, "the journal") as file:
            return write_journal(ledger, store, selection, language, file, moved)
    wanted = conditions(MODEL, selection, ledger.timezone)
    with store.snapshot() as connection, closing(_CountedEntries(connection, wanted, moved)) as entries:
        store.position(connection, ledger.store)
        numbered = read_numbers(ledger.history(NUMBERS)).events
        journal = journal_transactions(entries, _closed_through(connection), numbered)
        for text in journal_texts(language, _accounts(connection, wanted), _incomes(connection, wanted), journal):
            out.write(text.encode())
    return entries.count


class _CountedEntries:
    """Reads the entries, and counts them."""

    def __init__(self, connection: Connection, wanted: list[ColumnElement[bool]], moved: Moved) -> None:
        self.count = 0
        self._connection = connection
        self._wanted = wanted
        self._moved = moved
        self._results = ExitStack()

    def __iter__(self) -> Iterator[Entry]:
        statement = select(ENTRIES).where(*self._wanted).order_by(*order(MODEL))
        result = self._connection.execute(statement.execution_options(yield_per=ROWS_AT_ONCE))
        for row in self._results.enter_context(result):
            yield Entry(*row)
            self.count += 1
            if self.count % ROWS_AT_ONCE == 0:
                self._moved(self.count)

    def close(self) -> None:
        """Close results that were not read to their end; the connection must still be open."""
        self._results.close()


def _accounts(connection: Connection, wanted: list[ColumnElement[bool]]) -> dict[str, str]:
    """Map the accounts that have entries to the day of their first one."""
    first = select(ENTRIES.c.account, func.min(ENTRIES.c.day)).where(*wanted).group_by(ENTRIES.c.account)
    return {row[0]: row[1] for row in connection.execute(first.order_by(ENTRIES.c.account))}


def _incomes(connection: Connection, wanted: list[ColumnElement[bool]]) -> dict[str, str]:
    """Map the accounts of income besides that of calls, where there is any, to the day of their first entry."""
    c = ENTRIES.c
    first = select(c.kind, func.min(c.day)).where(*wanted, c.kind.in_(INCOME)).group_by(c.kind)
    return {INCOME[row[0]]: row[1] for row in connection.execute(first.order_by(c.kind))}


def _closed_through(connection: Connection) -> str:
    return connection.execute(select(func.max(CLOSINGS.c.period))).scalar_one() or ""
