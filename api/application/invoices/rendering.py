"""A document in one format: what is to be rendered is plain bytes, so that another process can do it."""

from typing import NamedTuple

import msgspec

from api.application.invoices.csv_text import lines_csv
from api.application.invoices.customer_sheet import customer_sheet
from api.application.invoices.document import Document
from domain import times

HTML, PDF, JSON, CSV = FORMATS = ("html", "pdf", "json", "csv")


class RenderTask(NamedTuple):
    """A document's JSON in a format; ``calls`` is the JSON of the list of calls, empty without it."""

    content: bytes
    form: str
    language: str = ""
    calls: bytes = b""
    cents: bool = False
    logo: bytes = b""
    logo_type: str = ""
    excel_safe: bool = False


def render(task: RenderTask) -> bytes:
    """Return the file; raises MissingDriver where a PDF is wanted and fpdf2 is not installed."""
    if task.form == JSON:
        return task.content
    document: Document = msgspec.json.decode(task.content)
    if task.form == CSV:
        return lines_csv(document, excel_safe=task.excel_safe)
    calls = msgspec.json.decode(task.calls, type=list[Document]) if task.calls else None
    sheet = customer_sheet(document, calls, task.language or document["language"], cents=task.cents)
    if task.form == HTML:
        from api.application.invoices.html_page import page_of  # noqa: PLC0415 - templates are loaded by who wants them.

        return page_of(sheet, task.logo, task.logo_type)
    from api.application.invoices.pdf_pages import pdf_of  # noqa: PLC0415 - so is fpdf2, which may be missing.

    return pdf_of(sheet, task.logo, times.parse(document["issued_at"]) if document["issued_at"] else 0)
