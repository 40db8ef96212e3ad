"""The bill run of a month: close it, number its statements in one transaction, and make their documents (SPEC 9.13).

A run that is killed has given all its numbers or none. The next one gives what is missing, and makes the same documents.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from api.application.invoices.document import Document, PartyVersion, call_documents
from api.application.invoices.numbering import (
    NumberedDocuments,
    PrintedDocument,
    load_numbers,
    number_months,
    print_month,
)
from api.application.invoices.oddities import NO_PARTY, Oddity, find_oddities, months_before
from api.application.invoices.preferences import calls_file, preferences_of, render_task
from api.application.invoices.rendering import CSV, HTML, JSON, PDF, RenderTask
from api.application.month_closing import ClosingResult, close_month
from api.application.published_parties import latest_party
from domain.events.log_row import POSITION_MAX
from domain.events.operator_events import STATEMENT
from domain.ledger import Ledger
from domain.operators.statement_numbering import KnownNumbers
from projections.building.catch_up import catch_up
from projections.queries.customer_books import CustomerBooks
from projections.queries.customer_lines import CustomerMonth
from projections.stores.base import ReadStore

BILLED = "the bill run"


class BillPreview(NamedTuple):
    """What a bill run would number: the months of all accounts, which of them have a number, and what is odd."""

    months: list[CustomerMonth]
    used: PartyVersion
    known: KnownNumbers
    oddities: list[Oddity]

    @property
    def unnumbered(self) -> list[CustomerMonth]:
        """The months that have no number yet."""
        return [each for each in self.months if (each.account, each.period) not in self.known.statements]

    @property
    def without_party(self) -> list[Oddity]:
        """What keeps the run from numbering unless it is accepted: accounts in no party file."""
        return [each for each in self.oddities if each.kind == NO_PARTY]


class BillingRefused(NamedTuple):
    """Why a run numbered nothing: accounts without party data, or what keeps the month open."""

    without_party: list[Oddity]
    closing: ClosingResult | None


class DocumentFiles(NamedTuple):
    """The files of one document: those to be rendered, and those that are ready; the JSON is written last."""

    entry: Document
    tasks: list[tuple[str, RenderTask]]
    ready: list[tuple[str, bytes]]


def preview_bill(ledger: Ledger, store: ReadStore, period: str) -> BillPreview:
    """Return what a run of a month would number, from read models that are up to date."""
    used, known = latest_party(ledger), load_numbers(ledger)
    with store.snapshot() as connection:
        store.position(connection, ledger.store)
        books = CustomerBooks(connection, ledger.billing_context())
        months = list(books.months(period))
        usual = books.usual_dues(months_before(period))
    unnumbered = [each for each in months if (each.account, each.period) not in known.statements]
    return BillPreview(months, used, known, list(find_oddities(unnumbered, used, known, usual)))


def number_bill(
    ledger: Ledger, store: ReadStore, period: str, by: str, accept: str | None
) -> BillingRefused | list[CustomerMonth]:
    """Close a month if it is open, and number its statements; return all months of it, or why nothing was done.

    Raises CommandRejected for a month that is not over yet.
    """
    catch_up(ledger, store)
    preview = preview_bill(ledger, store, period)
    if preview.without_party and accept is None:
        return BillingRefused(preview.without_party, None)
    if period > ledger.billing_context().closed_through(POSITION_MAX):
        closing = close_month(ledger, store, period, by, accept)
        if closing.is_open:
            return BillingRefused([], closing)
    # What the closing posted is billed, too.
    catch_up(ledger, store)
    preview = preview_bill(ledger, store, period)
    if preview.without_party and accept is None:
        return BillingRefused(preview.without_party, None)
    if preview.unnumbered:
        with ledger.operator_session(by, accept or BILLED) as session:
            number_months(session, preview.unnumbered, preview.used)
    return preview.months


def bill_documents(
    ledger: Ledger, books: CustomerBooks, months: list[CustomerMonth], forms: tuple[str, ...]
) -> Iterator[DocumentFiles]:
    """Yield the files of each document that is numbered, in the order of accounts; raises DocumentDiffers."""
    numbered = NumberedDocuments(ledger)
    for month in months:
        for printed in print_month(month, numbered):
            yield _files(books, printed, forms)


def _files(books: CustomerBooks, printed: PrintedDocument, forms: tuple[str, ...]) -> DocumentFiles:
    document, event = printed.document, printed.event
    assert event is not None
    number, calls, ready = event.number, None, []
    if event.kind == STATEMENT and preferences_of(printed).calls:
        calls = call_documents(books.calls(event.account, event.period))
        ready = [(f"{number}-calls.{form}", calls_file(calls, form)) for form in (CSV, JSON) if form in forms]
    shown = [form for form in (HTML, PDF, CSV) if form in forms]
    entry = {
        "number": number,
        "kind": event.kind,
        "account": event.account,
        "customer": document["customer"]["name"],
        "period": event.period,
        "corrects": event.corrects or None,
        "original_period": event.original_period or None,
        "issued_at": document["issued_at"],
        "due_by": document["due_by"],
        "due": document["due"],
        "exact_cents": document["exact_cents"],
        "digest": event.digest,
        "files": [*(f"{number}.{form}" for form in (*shown, JSON)), *(name for name, _ in ready)],
    }
    tasks = [(f"{number}.{form}", render_task(printed, form, calls)) for form in shown]
    return DocumentFiles(entry, tasks, [*ready, (f"{number}.{JSON}", printed.content)])


def manifest_json(period: str, entries: list[Document]) -> bytes:
    """Return the manifest of a run as JSON."""
    return msgspec.json.format(msgspec.json.encode({"period": period, "documents": entries}), indent=2) + b"\n"
