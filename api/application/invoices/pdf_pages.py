"""Customers' statements as PDF, with fpdf2; codes and amounts are never broken, and every script has its font."""

from collections.abc import Sequence
from io import BytesIO

from api.application.invoices.customer_sheet import CustomerSheet
from api.application.invoices.words import words_of
from domain import times
from domain.errors import MissingDriver

try:
    from fpdf import FPDF
    from fpdf.enums import TableBordersLayout
    from fpdf.fonts import FontFace

    from api.application.invoices.fonts import CORE, is_core, use_fonts
except ImportError as _missing:
    raise MissingDriver("a statement as PDF needs fpdf2: `pip install 'tringledger[pdf]'`") from _missing

MARGIN_MM, PADDING_MM = 15.0, 4.0
LOGO_HEIGHT_MM, LOGO_WIDTH_MM = 18.0, 60.0
SMALL, NORMAL, LARGE, TINY = 8.0, 10.0, 16.0, 3.0
FOOT_MM = 10.0
LINE_HEIGHT = 0.48  # In millimetres for each point of the letters' size.


class _Paper(FPDF):
    """A4 pages with their numbers at the foot."""

    def __init__(self, language: str) -> None:
        super().__init__(format="A4")
        self.core_fonts_encoding = "cp1252"  # As is_core reads texts.
        self._say = words_of(language)
        self.family = CORE
        self.unknown: frozenset[int] = frozenset()
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM)

    def footer(self) -> None:
        """Write the page's number."""
        self.set_y(-FOOT_MM)
        self.set_font(self.family, "", SMALL)
        self.cell(0, None, self._say("Page {page} of {pages}", page=str(self.page_no()), pages="{nb}"), align="R")

    def clean(self, text: str) -> str:
        """Return a text whose letters without a font are written as U+ and their number."""
        if not any(ord(letter) in self.unknown for letter in text):
            return text
        return "".join(f"U+{ord(letter):04X}" if ord(letter) in self.unknown else letter for letter in text)

    def write_line(self, text: str, style: str = "", size: float = NORMAL, align: str = "L") -> None:
        """Write a text in as many lines as it needs."""
        self.set_font(self.family, style, size)
        self.multi_cell(0, size * LINE_HEIGHT, self.clean(text), align=align, new_x="LMARGIN", new_y="NEXT")

    def write_code(self, text: str) -> None:
        """Write a code in one line, however long it is: smaller, if it has to be."""
        shown, size = self.clean(text), NORMAL
        self.set_font(self.family, "", size)
        room = self.w - self.r_margin - self.x
        if (width := self.get_string_width(shown)) > room:
            self.set_font(self.family, "", max(TINY, size * room / width))
        self.cell(0, NORMAL * LINE_HEIGHT, shown, new_x="LMARGIN", new_y="NEXT")


def pdf_of(sheet: CustomerSheet, logo: bytes, at: int) -> bytes:
    """Return a PDF, made at a moment (microseconds, UTC; 0: now)."""
    pdf = _Paper(sheet.language)
    if at:
        pdf.set_creation_date(times.to_datetime(at))
    text = _all_text(sheet)
    if not is_core(text):
        pdf.family, pdf.unknown = use_fonts(pdf, text)
    pdf.set_title(pdf.clean(" ".join([sheet.title, *(text for _, text in sheet.facts[:1])])))
    pdf.set_lang(sheet.language)
    pdf.add_page()
    _head(pdf, sheet, logo)
    _lines(pdf, sheet)
    pdf.ln(4)
    for note in sheet.notes:
        pdf.write_line(note, size=SMALL)
    if sheet.calls:
        pdf.add_page()
        pdf.write_line(sheet.calls.title, "B", LARGE)
        _table(pdf, sheet.calls.headings, sheet.calls.rows, {1, 2}, 3)
    return bytes(pdf.output())


def _all_text(sheet: CustomerSheet) -> str:
    texts = [sheet.title, sheet.warning, *sheet.sender, *sheet.sender_more, *sheet.customer, *sheet.headings]
    texts += [part for fact in sheet.facts for part in fact]
    texts += [part for row in sheet.rows for part in (row.day, row.about.text, *row.numbers)]
    texts += [*sheet.due, *sheet.notes]
    if sheet.calls:
        texts += [sheet.calls.title, *sheet.calls.headings, *(cell for row in sheet.calls.rows for cell in row)]
    return "".join(texts)


def _head(pdf: _Paper, sheet: CustomerSheet, logo: bytes) -> None:
    if logo:
        pdf.image(
            BytesIO(logo),
            x=pdf.w - MARGIN_MM - LOGO_WIDTH_MM,
            y=pdf.get_y(),
            w=LOGO_WIDTH_MM,
            h=LOGO_HEIGHT_MM,
            keep_aspect_ratio=True,
        )
        pdf.ln(LOGO_HEIGHT_MM + 2)
    for number, line in enumerate(sheet.sender):
        pdf.write_line(line, "" if number else "B", align="R")
    for line in sheet.sender_more:
        pdf.write_line(line, size=SMALL, align="R")
    for number, line in enumerate(sheet.customer):
        pdf.write_line(line, "" if number else "B")
    pdf.ln(6)
    pdf.write_line(sheet.title, "B", LARGE)
    if sheet.warning:
        pdf.write_line(sheet.warning, "B")
    pdf.ln(2)
    pdf.set_font(pdf.family, "", NORMAL)
    labels = max(pdf.get_string_width(label) for label, _ in sheet.facts) + PADDING_MM
    for label, text in sheet.facts:
        pdf.set_font(pdf.family, "", NORMAL)
        pdf.cell(labels, NORMAL * LINE_HEIGHT, label)
        pdf.write_code(text)
    pdf.ln(4)


def _lines(pdf: _Paper, sheet: CustomerSheet) -> None:
    rows = [[row.day, row.about.text, *row.numbers] for row in sheet.rows]
    _table(pdf, sheet.headings, rows, {1}, 2)
    pdf.ln(2)
    pdf.set_font(pdf.family, "B", NORMAL)
    label, amount = sheet.due
    width = pdf.get_string_width(amount) + PADDING_MM
    pdf.cell(pdf.epw - width, NORMAL * LINE_HEIGHT, label)
    pdf.cell(width, NORMAL * LINE_HEIGHT, amount, align="R", new_x="LMARGIN", new_y="NEXT")


def _table(pdf: _Paper, headings: Sequence[str], rows: Sequence[Sequence[str]], elastic: set[int], left: int) -> None:
    """Write a table whose columns are as wide as their longest cell, except the ``elastic`` ones, which share what is left."""
    shown = [[pdf.clean(cell) for cell in row] for row in rows]
    size = SMALL
    pdf.set_font(pdf.family, "B", size)
    widths = [
        0.0 if place in elastic else max(map(pdf.get_string_width, column)) + PADDING_MM
        for place, column in enumerate(zip(headings, *shown, strict=True))
    ]
    rest = (pdf.epw - sum(widths)) / len(elastic)
    widths = [rest if place in elastic else width for place, width in enumerate(widths)]
    pdf.set_font(pdf.family, "", size)
    align = ["LEFT"] * left + ["RIGHT"] * (len(headings) - left)
    bold = FontFace(emphasis="BOLD")
    with pdf.table(
        width=pdf.epw,
        col_widths=tuple(widths),
        text_align=tuple(align),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=bold,
    ) as table:
        table.row(headings)
        for row in shown:
            line = table.row()
            for place, cell in enumerate(row):
                line.cell(cell, style=_style(pdf, cell, widths[place]) if place in elastic else None)


def _style(pdf: _Paper, cell: str, room: float) -> FontFace | None:
    """Return a smaller font for a cell with a word that is wider than its column, so that no code is broken."""
    widest = max(map(pdf.get_string_width, cell.split()), default=0.0) + PADDING_MM
    return FontFace(size_pt=max(TINY, SMALL * room / widest)) if widest > room else None
