"""``tringledger invoice``: a customer's statement of a month, as a file to send."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import (
    DOCUMENT_FORMATS,
    DOCUMENT_SUFFIXES,
    catch_up_option,
    output_options,
    period_argument,
    store_option,
)
from domain.errors import CommandRejected

if TYPE_CHECKING:
    from api.application.invoices.document import MonthCalls
    from api.application.invoices.numbering import PrintedDocument


@click.command()
@click.argument("account")
@click.argument("period", metavar="YYYY-MM", callback=period_argument)
@output_options(DOCUMENT_FORMATS, "html", "The file's format", DOCUMENT_SUFFIXES)
@click.option("--number", metavar="NUMBER", help="A credit or debit note of the month, by its number.")
@click.option("--original", is_flag=True, help="As it was numbered, not as it was reissued.")
@click.option("--language", type=click.Choice(["de", "en"]), help="The language (default: the customer's).")
@click.option("--cents/--no-cents", default=None, help="A column of exact US cents (default: as the party file says).")
@click.option("--calls/--no-calls", default=None, help="The list of calls (default: as the party file says).")
@click.option("--excel-safe", is_flag=True, help="CSV: protect texts that a spreadsheet would read as formulas.")
@catch_up_option
@store_option
def invoice(
    account: str,
    period: str,
    form: str,
    output: Path | None,
    number: str | None,
    original: bool,
    language: str | None,
    cents: bool | None,
    calls: bool | None,
    excel_safe: bool,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Write a customer's statement of a month, in US dollars.

    It has the price only: no cost and no margin.
        `tringledger bill` gives it its number. Before that it is a draft, and says so. With a number it is printed as it was,
    and the command refuses to print it if its digest is not the one that was kept with the number. With --calls, JSON and CSV are the list of calls.

    \b
    Examples:
      tringledger invoice acme 2026-10 -o acme-2026-10.pdf
      tringledger invoice acme 2026-10 --format json
    """
    from api.application.invoices.document import call_documents
    from api.application.invoices.numbering import NumberedDocuments, print_month, print_unnumbered
    from api.application.invoices.reissuing import last_print
    from api.application.published_parties import latest_party
    from projections.queries.customer_books import CustomerBooks

    with (
        open_ledger(store) as (ledger, _),
        read_models(ledger, caught_up=not no_catch_up) as read_store,
        read_store.snapshot() as connection,
    ):
        read_store.position(connection, ledger.store)
        books = CustomerBooks(connection, ledger.billing_context())
        month = books.month(account, period)
        numbered = NumberedDocuments(ledger)
        printed = print_month(month, numbered)
        if not printed:
            printed = [print_unnumbered(month, latest_party(ledger), closed=books.is_closed(period))]
        found = _chosen(printed, number)
        if found.event and not original:
            found = last_print(found, numbered)
        listed = call_documents(books.calls(account, period)) if wants_calls(found, form, calls) else None
    write_document(found, listed, (form, output, language, cents, excel_safe))


def _chosen(printed: list[PrintedDocument], number: str | None) -> PrintedDocument:
    found = [each for each in printed if number is None or each.document["number"] == number]
    if not found:
        numbers = ", ".join(each.document["number"] or "none yet" for each in printed)
        msg = f"there is no document {number} of this account and month; expected one of {numbers}"
        raise CommandRejected(msg)
    return found[-1]


def wants_calls(found: PrintedDocument, form: str, calls: bool | None) -> bool:
    """Whether the list of calls is wanted; JSON and CSV are either the document or that list, so it must be asked for."""
    from api.application.invoices.preferences import preferences_of

    if found.document["kind"] != "statement":
        return False
    return form not in {"json", "csv"} and preferences_of(found).calls if calls is None else calls


def write_document(
    found: PrintedDocument,
    listed: MonthCalls | None,
    how: tuple[str, Path | None, str | None, bool | None, bool],
) -> None:
    """Write a document to a file or stdout; ``how`` is its format, the file, the language, exact cents, and whether CSV is safe for spreadsheets."""
    from api.application.invoices.preferences import render_printed
    from projections.atomic_file import map_write_errors

    form, output, language, cents, excel_safe = how
    content = render_printed(found, form, listed, language or "", cents=cents, excel_safe=excel_safe)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    with map_write_errors(output, "the statement") as file:
        file.write(content)
    document = found.document
    number = f"{document['number']}{', reissue ' + str(document['reissue']) if 'reissue' in document else ''}"
    named = f", number {number}" if document["number"] else f", {document['state']}, without number"
    note(f"{document['kind']} of {document['account']} for {document['period']} in {output}{named}")
