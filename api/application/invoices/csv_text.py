"""Customers' statements as CSV: a row for each line and one for the amount due; and the list of calls."""

import csv
import io
from collections.abc import Iterable, Sequence

from api.application.invoices.document import Document
from projections.export.text_formats import excel_safe_text

DUE = "due"
OF_DOCUMENT = ("number", "account", "period")
OF_LINE = (
    *("kind", "day", "original_period", "text", "note", "corrects", "calls", "billed_seconds", "sip_credits"),
    *("cents", "amount"),
)
OF_CALL = ("cdr_at", "tag", "src", "billed_seconds", "cents")
TEXTS = ("account", "text", "tag", "src")


def lines_csv(document: Document, *, excel_safe: bool = False) -> bytes:
    """Return a document as in RFC 4180; amounts are plain decimals."""
    rows = [document_row(document, {**line, "note": line["number"]}) for line in document["lines"]]
    # The lines sum to it in both columns, since one of them is the rounding.
    due = {"kind": DUE, "cents": str(int(document["due"].replace(".", ""))), "amount": document["due"]}
    return csv_of((*OF_DOCUMENT, *OF_LINE), [*rows, document_row(document, due)], excel_safe=excel_safe)


def document_row(document: Document, line: Document) -> list[object]:
    """Return a row: what is the document's, and what is the line's."""
    return [*(document[name] for name in OF_DOCUMENT), *(line.get(name) for name in OF_LINE)]


def calls_csv(calls: Iterable[Document], *, excel_safe: bool = False) -> bytes:
    """Return the list of calls."""
    return csv_of(OF_CALL, [[call[name] for name in OF_CALL] for call in calls], excel_safe=excel_safe)


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[object]], *, excel_safe: bool = False) -> bytes:
    """Return rows as CSV; None is an empty cell."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        if excel_safe:
            cells = [
                excel_safe_text(cell) if name in TEXTS else cell for name, cell in zip(columns, cells, strict=True)
            ]
        writer.writerow(cells)
    return out.getvalue().encode()
