"""What accountants wait for: rerating a month, reconciling it, a statement of it, and the books as of an earlier time."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID

from sqlalchemy import Connection, select

from domain.ledger import Ledger
from projections.building.as_of import open_as_of
from projections.building.catch_up import catch_up
from projections.building.process_pool import choose_folding
from projections.queries.rerating_preview import calls_of_account
from projections.queries.statement import Statement, load_statement
from projections.rows.projector import Projector
from projections.schema.tables import CDRS, ENTRIES
from projections.stores.generations import open_current
from tests.benchmarks import growth, ledgers, million, pages
from tests.benchmarks.measure import Limit, Row, Sizes, seconds, within
from tests.benchmarks.traffic import notifications
from tests.support.command import run

ACCOUNT, PERIOD = "acme", "2026-10"
TARIFF = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = {}\n'
CARRIER_COLUMNS = ("tag", "src", "cdr_at", "src_duration", "dest_duration", "src_charge", "dest_charge")
# What each may take, and for how many.
PREVIEW_SECONDS, RERATING_SECONDS, RERATED = 3, 8, 20_000
RECONCILIATION_SECONDS, RECONCILED = 6, 200_000
STATEMENT_SECONDS, STATED = 2, 100_000
AS_OF_SECONDS, LOOKED_BACK = 7, 1_000_000


def measure_preview(sizes: Sizes) -> Row:
    """Preview a rerating of all calls of a month, with its table."""
    with _billed(sizes) as (ledger, calls):
        row = within(
            f"rerating {len(calls):,} calls, dry run",
            Limit(PREVIEW_SECONDS, RERATED, len(calls)),
            sizes.runs,
            lambda _: seconds(lambda: _rerate(ledger, 2, "--dry-run")),
        )
        row.notes.append(f"Reading and folding the calls once took {seconds(lambda: _fold(ledger, calls)):.2f} s.")
    return row


def measure_rerating(sizes: Sizes) -> Row:
    """Rerate all calls of a month, each time by a new version of the tariff."""
    with _billed(sizes) as (ledger, calls):

        def rerated(number: int) -> float:
            with ledger.operator_session("Ada", "new prices") as session:
                session.publish_tariff(TARIFF.format(number + 4))
            return seconds(lambda: _rerate(ledger, number + 3))

        limit = Limit(RERATING_SECONDS, RERATED, len(calls))
        return within(f"rerating {len(calls):,} calls", limit, sizes.runs, rerated)


def measure_reconciliation(sizes: Sizes) -> Row:
    """Reconcile a month with a statement that agrees with it."""
    with _billed(sizes) as (ledger, _):
        exported = run("export", "cdrs", "--format", "csv", "--store", ledger.url).out
        path = sizes.directory / "carrier.csv"
        with path.open("w", newline="") as file:
            out = csv.DictWriter(file, CARRIER_COLUMNS, extrasaction="ignore")
            out.writeheader()
            out.writerows(rows := list(csv.DictReader(io.StringIO(exported, newline=""))))

        def read() -> None:
            with path.open(newline="") as file:
                list(csv.reader(file))
            with closing(open_current(ledger)) as store, store.snapshot() as connection:
                connection.execute(select(CDRS)).all()

        row = within(
            f"reconciliation of {len(rows):,} records",
            Limit(RECONCILIATION_SECONDS, RECONCILED, len(rows)),
            sizes.runs,
            lambda _: seconds(lambda: run("reconcile", str(path), "--store", ledger.url)),
        )
        row.notes.append(f"Reading both sides of the {row.what} took {seconds(read):.2f} s.")
    return row


def measure_statement(sizes: Sizes) -> Row:
    """Make the statement of an account with as many calls in a month as logs have events."""
    period = "2026-01"
    with (
        pages.ledger_of_calls(sizes.directory / "month.db", sizes.events, million.MONTH) as ledger,
        closing(open_current(ledger)) as store,
        store.snapshot() as connection,
    ):

        def load() -> Statement:
            return load_statement(connection, pages.BIG, period, 0, ledger.billing_context())

        calls = load().total.calls
        row = within(
            f"statement of {calls:,} calls",
            Limit(STATEMENT_SECONDS, STATED, calls),
            sizes.runs,
            lambda _: seconds(load),
        )
        read = seconds(lambda: _entries(connection, period))
    row.notes.append(f"Reading the entries of the {row.what} took {read:.2f} s.")
    return row


def measure_as_of(sizes: Sizes) -> Row:
    """Build the read models as of the end of a log, of the larger one by which growth is measured."""
    events = sizes.events * growth.TIMES

    def look_back(ledger: Ledger) -> None:
        with open_as_of(ledger, events, folding=choose_folding(events)):
            pass

    with ledgers.opened(growth.log_of(sizes, events)) as ledger:
        what = f"the read models as of an earlier time, {events:,} events"
        limit = Limit(AS_OF_SECONDS, LOOKED_BACK, events)
        return within(what, limit, sizes.runs, lambda _: seconds(lambda: look_back(ledger)))


@contextmanager
def _billed(sizes: Sizes) -> Iterator[tuple[Ledger, list[str]]]:
    """Lend a ledger whose calls are all billed to one account, with two versions of the tariff, and the calls' ids."""
    path = sizes.directory / f"billed-{sizes.events}.db"
    is_there = path.exists()
    with ledgers.opened(path) as ledger:
        if not is_there:
            _publish(ledger, 2)
            ledgers.fill(ledger, notifications(sizes.events))
            _publish(ledger, 3)
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
            with store.snapshot() as connection:
                calls = calls_of_account(connection, ACCOUNT, PERIOD)
        yield ledger, calls


def _publish(ledger: Ledger, price: int) -> None:
    with ledger.operator_session("Ada", "prices") as session:
        session.publish_tariff(TARIFF.format(price))


def _fold(ledger: Ledger, calls: list[str]) -> None:
    books = ledger.billing_context()
    for call_id in calls:
        Projector(books, ledger.events_at).add_stream(ledger.history(UUID(call_id)))


def _rerate(ledger: Ledger, version: int, *more: str) -> None:
    what = ("--account", ACCOUNT, "--period", PERIOD, "--tariff", str(version), "--by", "Ada", "--reason", "measured")
    done = run("rerate", *what, *more, "--store", ledger.url)
    assert done.code == 0, done.err


def _entries(connection: Connection, period: str) -> None:
    connection.execute(select(ENTRIES).where(ENTRIES.c.account == pages.BIG, ENTRIES.c.period == period)).all()
