"""Writes the documents of a bill run, and the manifest when all are written."""

from collections.abc import Callable, Iterator
from pathlib import Path

from api.application.invoices.bill_run import DocumentFiles, bill_documents, manifest_json
from api.application.invoices.document import Document
from api.application.invoices.output import MANIFEST, BillOutput, manifest_csv, open_output
from api.application.invoices.parallel_rendering import render_documents
from domain.ledger import Ledger
from projections.queries.customer_books import CustomerBooks
from projections.queries.customer_lines import CustomerMonth

Moved = Callable[[int], None]


def write_bill(  # noqa: PLR0917  # What, from where, where to and how, in the order of the command line.
    ledger: Ledger,
    books: CustomerBooks,
    months: list[CustomerMonth],
    path: Path,
    forms: tuple[str, ...],
    jobs: int,
    moved: Moved,
) -> list[Document]:
    """Write all documents of a month, and return the manifest's entries in the order of accounts.

    Raises DocumentDiffers, NotWritten, WorkersCrashed. ``moved`` is called with the number of documents so far.
    """
    entries: list[Document] = []
    with open_output(path) as output:
        wanted = _missing(bill_documents(ledger, books, months, forms), output, entries)
        for count, (document, files) in enumerate(render_documents(wanted, len(months), forms, jobs), 1):
            issued_at = document.entry["issued_at"]
            *before, last = [*files, *document.ready]
            for name, content in before:
                output.add(name, content, issued_at)
            output.finish(*last, issued_at)
            moved(count)
        if months:
            latest = max((entry["issued_at"] for entry in entries), default="")
            output.add(f"{MANIFEST}.csv", manifest_csv(entries), latest)
            output.finish(f"{MANIFEST}.json", manifest_json(months[0].period, entries), latest)
    return entries


def _missing(
    documents: Iterator[DocumentFiles], output: BillOutput, entries: list[Document]
) -> Iterator[DocumentFiles]:
    """Yield the documents that are not written yet, and list all."""
    for document in documents:
        entries.append(document.entry)
        if not output.has(document.entry):
            yield document
