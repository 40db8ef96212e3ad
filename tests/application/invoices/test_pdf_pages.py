"""A customer's statement as PDF: codes in one piece on one line, headings on each page, and every script that fonts are there for."""

from io import BytesIO
from typing import Any

import pytest
from fpdf import FPDF
from pypdf import PdfReader

from api.application.invoices.customer_sheet import customer_sheet
from api.application.invoices.document import Issue, PartyVersion, make_document, statement_lines
from api.application.invoices.fonts import close_fonts, use_fonts
from api.application.invoices.pdf_pages import pdf_of
from projections.queries.customer_lines import CustomerLine, CustomerMonth
from projections.rows.entry import CDR, FEE

LONG = "a-" * 100


def pages(account: str, calls: list[dict[str, Any]] | None = None, *lines: CustomerLine) -> list[str]:
    """Return the text of each page of a statement with a line of calls and more lines."""
    listed = [CustomerLine(CDR, "2026-10-01", "", "", 1, 60, 0, 1_000_000), *lines]
    month = CustomerMonth(account, "2026-10", listed, sum(line.price for line in listed))
    document = make_document(month, statement_lines(month, []), Issue(state="draft"), PartyVersion())
    made = pdf_of(customer_sheet(document, calls, "en", cents=True), b"", 1)
    return [page.extract_text() for page in PdfReader(BytesIO(made)).pages]


def call(tag: str) -> dict[str, Any]:
    at = "2026-10-01T10:00:00.000000Z"
    return {"cdr_at": at, "tag": tag, "src": "18585550001", "billed_seconds": 60, "cents": "1.5"}


def test_codes_stay_on_one_line_however_long_and_texts_are_broken_between_words() -> None:
    fee = CustomerLine(FEE, "2026-10-31", "", "line rental of the house " * 9, 0, 0, 0, 5_000_000)
    first, second = pages(LONG, [call(LONG)], fee)
    assert LONG in first.split()
    assert LONG in second.split()
    assert " ".join(first.split()).count("line rental of the house") == 9


def test_a_list_of_many_calls_has_its_headings_on_each_page() -> None:
    _, *listed = pages("acme", [call(f"tag-{number}") for number in range(120)])
    assert len(listed) == 3
    assert all("Exact US cents" in page for page in listed)
    words = " ".join(listed).split()
    assert [word for word in words if word.startswith("tag-")] == [f"tag-{number}" for number in range(120)]


@pytest.mark.parametrize(
    "text", ["Łódź", "Ελλάδα", "Київ", "مرحبا", "שלום", "हिन्दी", "ไทย", "客户", "ひらがな", "한국"]
)
def test_the_fonts_have_all_letters_of_the_scripts_that_tags_may_have(text: str) -> None:
    pdf = FPDF()
    missing = use_fonts(pdf, text)[1]
    close_fonts(pdf)
    assert missing == frozenset()


def test_a_letter_that_no_font_has_is_written_as_its_number() -> None:
    assert "U+1F600phone" in pages("\U0001f600phone")[0]
