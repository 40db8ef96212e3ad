"""Given, when, then: notices as tests write them, and ledgers that hear them. Shared by all tests.

Moments are whole microseconds, and a notice's ``at`` counts from START. What signs and encodes is the model's, so that a
mistake in the service cannot hide in its own tests.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from domain import times
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.notices.signature import UNCHECKED, Keyring
from domain.outcomes import RecordOutcome
from projections.schema.read_models import STORED_TABLES
from projections.stores.generations import open_current
from tests.support.model.wire import Pairs, query, sign

KEY = "s3cr3t-private-key"
FORMULA = "md5-params"
SECOND = 1_000_000
GRACE = 300 * SECOND
MAX_AGE = 86_400 * SECOND
START = 1_790_856_000 * SECOND  # 2026-10-01T12:00:00Z
TAG, SRC = "sales", "18585550001"

Clock = Callable[[], int]
Rows = dict[str, list[tuple[object, ...]]]


class Said(NamedTuple):
    """One notice without its signature, and the moment (microseconds, UTC) at which it is received."""

    at: int
    pairs: list[tuple[str, str]]


def said(at: int = 0, **values: str | None) -> Said:
    """Return a notice with just these parameters beside ``f``; those that are None are absent."""
    return Said(START + at, [("f", "tm")] + [(name, value) for name, value in values.items() if value is not None])


def status(name: str | None, at: int = 0, **more: str | None) -> Said:
    """Return a ``callstatus`` of the usual line; its ``r`` follows from ``at`` unless given."""
    usual: dict[str, str | None] = {"tag": TAG, "src": SRC, "r": str(at)}
    return said(at, **usual | {"type": "callstatus", "status": name} | more)


def cdr(at: int = 0, status: str | None = None, **more: str | None) -> Said:
    """Return a ``cdr`` of the usual line; its ``r`` follows from ``at`` unless given."""
    usual: dict[str, str | None] = {"tag": TAG, "src": SRC, "r": str(at)}
    return said(at, **usual | {"type": "cdr", "status": status} | more)


def signed(pairs: Pairs, key: str = KEY, formula: str = FORMULA) -> bytes:
    """Return the query string of these parameters with their signature, as it comes over the wire."""
    signature = [("sig", sign(pairs, key, formula))] if formula != UNCHECKED else []
    return query([*pairs, *signature])


@contextmanager
def opened(
    url: str, terms: LedgerOptions | None = None, *, key: str = KEY, formula: str = FORMULA, clock: Clock = times.now
) -> Iterator[Ledger]:
    """Open the ledger at a store's address, made there if it is missing."""
    with closing(Ledger(url, Keyring(formula, [key]), terms, create=True, clock=clock)) as ledger:
        yield ledger


def record(ledger: Ledger, *notices: Said, key: str = KEY, formula: str = FORMULA) -> list[RecordOutcome]:
    """Record notices in one transaction, signed with a key, and return the answers."""
    return ledger.record([ledger.verify_delivery(signed(notice.pairs, key, formula), notice.at) for notice in notices])


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
