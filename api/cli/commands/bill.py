"""``tringledger bill``: the bill run of a month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.console import TABLE_ROWS_MAX, note, print_json, print_more, print_table, progress
from api.cli.exit_codes import DONE, FINDING
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import format_option, period_argument, printable_text, store_option

if TYPE_CHECKING:
    from api.application.invoices.bill_run import BillingRefused, BillPreview
    from api.application.invoices.oddities import Oddity

ODDITIES_MAX = 10
FORMATS = ("html", "pdf", "csv", "json")


@click.command()
@click.argument("period", metavar="MONTH", callback=period_argument)
@click.option("--by", metavar="NAME", callback=printable_text, help="Who bills, and closes the month if it is open.")
@click.option(
    "--accept", metavar="REASON", callback=printable_text, help="Bill despite what refuses it, for this reason."
)
@click.option("--dry-run", is_flag=True, help="Only show totals and what is odd; close, number and write nothing.")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FOLDER|FILE.zip",
    type=click.Path(path_type=Path),
    help="Where to write (default: a folder bills-MONTH).",
)
@click.option(
    "--document",
    "forms",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("html", "csv"),
    show_default=True,
    help="A format of the documents, repeatable; JSON is always written.",
)
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes that make PDFs (default: the number of cores).")
@format_option
@store_option
@click.pass_context
def bill(
    context: click.Context,
    period: str,
    by: str | None,
    accept: str | None,
    dry_run: bool,
    path: Path | None,
    forms: tuple[str, ...],
    jobs: int | None,
    output: str,
    store: str | None,
) -> None:
    """Close a month, and number and write customers' statements.

    The month (YYYY-MM) is closed as `close` does it, or the run refuses as `close` does. It also refuses while an account of the month is in no [[customers]] of the party file;
    --accept overrides both. All numbers are given at once, or none. Run it again after an interruption: no number is given
    twice, and what is missing is written. Numbers, digests and credit notes are explained in the specification, section 9.13.

    \b
    Examples:
      tringledger bill 2026-10 --dry-run
      tringledger bill 2026-10 --by kim -o bills-2026-10.zip --document html --document pdf
    """
    from api.application.invoices.bill_run import BillingRefused, number_bill, preview_bill
    from api.application.invoices.writing import write_bill
    from projections.queries.customer_books import CustomerBooks
    from projections.worker_link import usable_cores

    if not dry_run and by is None:
        raise click.UsageError("expected --by NAME, or --dry-run")
    with open_ledger(store) as (ledger, _), read_models(ledger, caught_up=True) as read_store:
        if dry_run:
            _show_preview(preview_bill(ledger, read_store, period), period, output)
            return
        months = number_bill(ledger, read_store, period, by or "", accept)
        if isinstance(months, BillingRefused):
            _show_refusal(months, period, output)
            context.exit(FINDING)
        if not months:
            note(f"no account has entries in {period}: nothing is billed, and nothing written")
            return
        target = path or Path(f"bills-{period}")
        with read_store.snapshot() as connection, progress("Writing", len(months), "statements") as moved:
            entries = write_bill(
                ledger,
                CustomerBooks(connection, ledger.billing_context()),
                months,
                target,
                ("json", *forms),
                jobs or usable_cores(),
                moved,
            )
    _show_documents(entries, output)
    note(f"{len(entries)} document{'' if len(entries) == 1 else 's'} of {period} in {target}")
    context.exit(DONE)


def _show_documents(entries: list[dict[str, Any]], output: str) -> None:
    if output == "json":
        print_json(entries)
        return
    columns = ["account", "number", "kind", "due", "due_by", "digest"]
    print_table(columns, [[entry[column] for column in columns] for entry in entries[:TABLE_ROWS_MAX]])
    print_more(len(entries) - TABLE_ROWS_MAX, "json")


def _show_preview(preview: BillPreview, period: str, output: str) -> None:
    from api.application.invoices.dollars import dollars, whole_cents

    numbers = preview.known.statements
    rows = [
        {
            "account": month.account,
            "number": numbers[key].number if (key := (month.account, period)) in numbers else None,
            "due": dollars(whole_cents(month.exact)),
        }
        for month in preview.months
    ]
    total = dollars(sum(whole_cents(month.exact) for month in preview.months))
    oddities = [each._asdict() for each in preview.oddities]
    if output == "json":
        print_json({"period": period, "statements": rows, "total": total, "oddities": oddities})
        return
    print_table(["account", "number", "due"], [[*row.values()] for row in rows[:TABLE_ROWS_MAX]])
    print_more(len(rows) - TABLE_ROWS_MAX, "json")
    note(f"{len(rows)} statements of {period}, {total} dollars; {len(preview.unnumbered)} have no number yet")
    _show_oddities(preview.oddities)


def _show_oddities(oddities: list[Oddity]) -> None:
    for kind in dict.fromkeys(each.kind for each in oddities):
        found = [each for each in oddities if each.kind == kind]
        for each in found[:ODDITIES_MAX]:
            note(f"{kind}: {each.account}: {each.text}")
        if len(found) > ODDITIES_MAX:
            note(f"{kind}: {len(found) - ODDITIES_MAX} more; --format json has them all")


def _show_refusal(refused: BillingRefused, period: str, output: str) -> None:
    from api.application.month_closing import blocker_document, closing_document

    closing = refused.closing
    if output == "json":
        found = [each._asdict() for each in refused.without_party]
        print_json({"period": period, "oddities": found, "closing": closing_document(closing) if closing else None})
        return
    _show_oddities(refused.without_party)
    if closing is None:
        note(f"{period} not billed: publish these customers, or use --accept REASON")
        return
    rows = [list(blocker_document(each).values()) for each in closing.blockers[:TABLE_ROWS_MAX]]
    print_table(["open", "where", "tag", "cost", "SIP credits"], rows)
    print_more(len(closing.blockers) - TABLE_ROWS_MAX, "json")
    note(f"{period} not closed and not billed: {len(closing.blockers)} open items")
