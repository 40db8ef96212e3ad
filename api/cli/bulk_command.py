"""Runs bulk work for a command: the same steps as a service's job, done by the command itself, and what became of the items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from api.cli.console import note, note_span, print_json, print_table, progress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from api.application.bulk_jobs.orders import BulkRequest
    from api.application.read_model_pool import ReadSession
    from domain.ledger import Ledger
    from projections.stores.generations import ReadStore

COLUMNS = ["items", "what"]


class BulkOptions(NamedTuple):
    """What a command is given that settles one item or, with ``every``, all that fit the filters: who, why, the output, the store."""

    every: bool
    by: str
    reason: str
    output: str
    store: str | None
    filters: dict[str, str | None]


def read_bulk_options(
    *, every: bool, by: str, reason: str, output: str, store: str | None, **filters: str | None
) -> BulkOptions:
    """Take the options of such a command as click passes them: what has no other name is a filter."""
    return BulkOptions(every, by, reason, output, store, filters)


def run_bulk_work(ledger: Ledger, read_store: ReadStore | None, request: BulkRequest, output: str) -> None:
    """Do a request, step by step, and print how many items have which outcome; the quarantine needs no read models.

    Nobody keeps how far it is: if it is interrupted, what is done stays done, and the same command does the rest. Raises
    what orders.read_order raises.
    """
    from collections import Counter

    from api.application.bulk_jobs import orders
    from api.application.bulk_jobs.bulk_work import do_nothing_more
    from domain import times
    from projections.queries.time_points import read_ends

    def session() -> AbstractContextManager[ReadSession]:
        return _session(ledger, read_store)

    order = orders.read_order(ledger, session, request, times.now())
    note_span(*read_ends(order.wanted, ledger.timezone, order.at), ledger.timezone)
    work = orders.open_work(ledger, order, session)
    total = work.count()
    outcomes, refused, cursor = Counter[str](), Counter[str](), ""
    try:
        with progress("Working", total, "items") as moved:
            while True:
                step = work.step(cursor, do_nothing_more)
                outcomes.update(step.outcomes)
                refused.update(step.refused)
                cursor = step.cursor
                moved(outcomes.total() + refused.total())
                if step.is_last:
                    break
    except BaseException:
        done = outcomes.total() + refused.total()
        note(f"interrupted after {done} of {total}; what is done stays, and the same command does the rest")
        raise
    if output == "json":
        print_json({"total": total, "outcomes": dict(outcomes), "refused": dict(refused)})
        return
    told = [*outcomes.items(), *((f"refused: {cause}", items) for cause, items in refused.items())]
    if not told:
        note("nothing to do: nothing fits")
        return
    print_table(COLUMNS, [[items, what] for what, items in told])


@contextmanager
def _session(ledger: Ledger, read_store: ReadStore | None) -> Iterator[ReadSession]:
    from api.application.read_model_pool import ReadSession

    assert read_store
    with read_store.snapshot() as connection:
        yield ReadSession(connection, read_store.position(connection, ledger.store), ledger, read_store)
