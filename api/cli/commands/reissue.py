"""``tringledger reissue``: print a numbered document anew, with corrected names and addresses."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.commands.invoice import wants_calls, write_document
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import DOCUMENT_FORMATS, DOCUMENT_SUFFIXES, author_options, output_options, store_option
from domain.errors import CommandRejected


@click.command()
@click.argument("number")
@output_options(DOCUMENT_FORMATS, "html", "The file's format", DOCUMENT_SUFFIXES)
@author_options
@store_option
def reissue(number: str, form: str, output: Path | None, by: str, reason: str, store: str | None) -> None:
    """Print a numbered document anew, with corrected addresses.

    What was numbered stays as it is. The reissue has the same number, dates, lines and amounts, and says that it is a reissue; the sender, the
    customer, the language and the text of the terms are those of the latest party file. Publish that first. `tringledger invoice` prints the
    last reissue again, with --original what was numbered. Specification, section 9.13.

    \b
    Examples:
      tringledger reissue 2026-0001 -o 2026-0001.pdf --by kim --reason "the customer has moved"
    """
    from api.application.invoices.document import call_documents
    from api.application.invoices.numbering import NumberedDocuments, print_month
    from api.application.invoices.reissuing import check_reissue, last_print
    from api.application.invoices.reissuing import reissue as record_reissue
    from api.application.published_parties import latest_party
    from projections.queries.customer_books import CustomerBooks

    with open_ledger(store) as (ledger, _):
        numbered = NumberedDocuments(ledger)
        if (event := numbered.known.by_number.get(number)) is None:
            msg = f"no document has the number {number!r}; `tringledger invoice` prints an account's with their numbers"
            raise CommandRejected(msg)
        with read_models(ledger, caught_up=True) as read_store, read_store.snapshot() as connection:
            books = CustomerBooks(connection, ledger.billing_context())
            printed = print_month(books.month(event.account, event.period), numbered)
            original = next(each for each in printed if each.event and each.event.number == number)
            used = latest_party(ledger)
            check_reissue(last_print(original, numbered), used)
            with ledger.operator_session(by, reason) as session:
                found = record_reissue(session, original, used)
            listed = (
                call_documents(books.calls(event.account, event.period)) if wants_calls(found, form, None) else None
            )
    write_document(found, listed, (form, output, None, None, False))
