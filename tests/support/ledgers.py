"""Ledgers as tests open them, what is recorded into them, and all that their read models hold."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from domain import times
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.notices.signature import Keyring
from domain.outcomes import RecordOutcome
from projections.schema.read_models import STORED_TABLES
from projections.stores.generations import open_current
from tests.support.notices import FORMULA, KEY, SentNotice, signed

Clock = Callable[[], int]
Rows = dict[str, list[tuple[object, ...]]]


@contextmanager
def opened(
    url: str, terms: LedgerOptions | None = None, *, key: str = KEY, formula: str = FORMULA, clock: Clock = times.now
) -> Iterator[Ledger]:
    """Open the ledger at a store's address, made there if it is missing."""
    with closing(Ledger(url, Keyring(formula, [key]), terms, create=True, clock=clock)) as ledger:
        yield ledger


def record(ledger: Ledger, *notices: SentNotice, key: str = KEY, formula: str = FORMULA) -> list[RecordOutcome]:
    """Record notices in one transaction, signed with a key, and return the answers."""
    return ledger.record(
        [ledger.verify_delivery(signed(notice, key, formula).encode(), notice.at) for notice in notices]
    )


def tables(ledger: Ledger) -> Rows:
    """Return all rows of the current read models as they are, in the order of their keys."""
    store = open_current(ledger)
    try:
        with store.snapshot() as connection:
            return {
                name: [tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))]
                for name, table in STORED_TABLES.items()
            }
    finally:
        store.close()
