"""``tringledger statement``: an account's statement of a month, as a file for people or for programs."""

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

if TYPE_CHECKING:
    from projections.queries.statement import Statement


@click.command()
@click.argument("account")
@click.argument("period", metavar="YYYY-MM", callback=period_argument)
@output_options(DOCUMENT_FORMATS, "html", "The file's format", DOCUMENT_SUFFIXES)
@click.option(
    "--font",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PDF: a TrueType font, for letters beyond those of western Europe.",
)
@click.option("--excel-safe", is_flag=True, help="CSV: protect texts that a spreadsheet would read as formulas.")
@catch_up_option
@store_option
def statement(
    account: str,
    period: str,
    form: str,
    output: Path | None,
    font: Path | None,
    excel_safe: bool,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Write the statement of an account for a month.

    Until the month is closed, the statement is a draft and says so. Its total equals the billing table to the last digit.

    \b
    Examples:
      tringledger statement acme 2026-10 -o acme-2026-10.html
      tringledger statement acme 2026-10 -o acme-2026-10.pdf
    """
    from projections.atomic_file import map_write_errors
    from projections.queries.statement import load_statement as statement_of

    with (
        open_ledger(store) as (ledger, _),
        read_models(ledger, caught_up=not no_catch_up) as read_store,
        read_store.snapshot() as connection,
    ):
        position = read_store.position(connection, ledger.store)
        found = statement_of(connection, account, period, position, ledger.billing_context(position))
    content = _rendered(found, form, font, excel_safe=excel_safe)
    if output:
        with map_write_errors(output, "the statement") as file:
            file.write(content)
        note(f"statement of {account} for {period} in {output}{'' if found.heading.closed else ', not closed'}")
    else:
        sys.stdout.buffer.write(content)


def _rendered(found: Statement, form: str, font: Path | None, *, excel_safe: bool) -> bytes:
    # Templates and PDF are loaded by who wants them.
    from api.application.statements import text_formats as texts

    if form == "html":
        from api.application.statements.html import as_html

        return as_html(found)
    if form == "pdf":
        from api.application.statements.pdf import as_pdf

        return as_pdf(found, font)
    return texts.as_json(found) if form == "json" else texts.as_csv(found, excel_safe=excel_safe)
