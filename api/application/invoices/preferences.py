"""What a customer wants of a document, by the party file that the document uses: exact cents, and the list of calls."""

from typing import NamedTuple

import msgspec

from api.application.invoices.csv_text import calls_csv
from api.application.invoices.document import MonthCalls
from api.application.invoices.numbering import PrintedDocument
from api.application.invoices.rendering import CSV, JSON, RenderTask, render


class CustomerPreferences(NamedTuple):
    """Whether a customer wants a column of exact cents, and the list of calls."""

    cents: bool = False
    calls: bool = False


def preferences_of(printed: PrintedDocument) -> CustomerPreferences:
    """Return what the customer of a document wants."""
    party = printed.used.party
    customer = party.customers.get(printed.document["account"]) if party else None
    return CustomerPreferences(customer.cents, customer.calls) if customer else CustomerPreferences()


def render_task(
    printed: PrintedDocument,
    form: str,
    calls: MonthCalls | None,
    language: str = "",
    *,
    cents: bool | None = None,
    excel_safe: bool = False,
) -> RenderTask:
    """Return what renders a document in a format, with a list of calls if it is given."""
    record = printed.used.record
    return RenderTask(
        printed.content,
        form,
        language,
        b"" if calls is None else msgspec.json.encode(calls),
        preferences_of(printed).cents if cents is None else cents,
        record.logo if record else b"",
        record.logo_type if record else "",
        excel_safe,
    )


def render_printed(
    printed: PrintedDocument,
    form: str,
    calls: MonthCalls | None,
    language: str = "",
    *,
    cents: bool | None = None,
    excel_safe: bool = False,
) -> bytes:
    """Return a file: the document, or, in JSON and CSV, the list of calls if it is given."""
    if calls is not None and form in {JSON, CSV}:
        return calls_file(calls, form, excel_safe=excel_safe)
    return render(render_task(printed, form, calls, language, cents=cents, excel_safe=excel_safe))


def calls_file(calls: MonthCalls, form: str, *, excel_safe: bool = False) -> bytes:
    """Return the list of calls as JSON or CSV."""
    if form == CSV:
        return calls_csv(calls, excel_safe=excel_safe)
    return msgspec.json.format(msgspec.json.encode(calls), indent=2) + b"\n"
