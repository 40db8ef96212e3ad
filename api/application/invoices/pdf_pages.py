"""Customers' statements as PDF, with fpdf2; codes and amounts are never broken, and every script has its font."""

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from api.application.invoices.customer_sheet import CustomerSheet
from api.application.invoices.words import words_of
from domain import times
from domain.errors import MissingDriver

try:
    from fpdf import FPDF

    from api.application.invoices.fonts import CORE, close_fonts, is_core, use_fonts
except ImportError as _missing:
    raise MissingDriver("a statement as PDF needs fpdf2: `pip install 'tringledger[pdf]'`") from _missing

MARGIN_MM, PADDING_MM = 15.0, 4.0
LOGO_HEIGHT_MM, LOGO_WIDTH_MM = 18.0, 60.0
SMALL, NORMAL, LARGE, TINY = 8.0, 10.0, 16.0, 3.0
FOOT_MM = 10.0
ROW_MM = 5.5
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

    @property
    def bold(self) -> str:
        """The style of what is bold: only the fonts of every reader have it, and loading a font twice takes long."""
        return "B" if self.family == CORE else ""

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
        pdf.write_line(sheet.calls.title, pdf.bold, LARGE)
        _table(pdf, sheet.calls.headings, sheet.calls.rows, {1, 2}, 3)
    made = bytes(pdf.output())
    close_fonts(pdf)
    return made


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
        pdf.write_line(line, "" if number else pdf.bold, align="R")
    for line in sheet.sender_more:
        pdf.write_line(line, size=SMALL, align="R")
    for number, line in enumerate(sheet.customer):
        pdf.write_line(line, "" if number else pdf.bold)
    pdf.ln(6)
    pdf.write_line(sheet.title, pdf.bold, LARGE)
    if sheet.warning:
        pdf.write_line(sheet.warning, pdf.bold)
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
    pdf.set_font(pdf.family, pdf.bold, NORMAL)
    label, amount = sheet.due
    width = pdf.get_string_width(amount) + PADDING_MM
    pdf.cell(pdf.epw - width, NORMAL * LINE_HEIGHT, label)
    pdf.cell(width, NORMAL * LINE_HEIGHT, amount, align="R", new_x="LMARGIN", new_y="NEXT")


def _table(pdf: _Paper, headings: Sequence[str], rows: Sequence[Sequence[str]], elastic: set[int], left: int) -> None:
    """Write a table whose columns are as wide as their longest cell, except the ``elastic`` ones, which share what is left."""
    shown = [[pdf.clean(cell) for cell in row] for row in rows]
    pdf.set_font(pdf.family, pdf.bold, SMALL)
    widths = [
        0.0 if place in elastic else max(map(pdf.get_string_width, column)) + PADDING_MM
        for place, column in enumerate(zip(headings, *shown, strict=True))
    ]
    rest = (pdf.epw - sum(widths)) / len(elastic)
    columns = [
        _Column(rest if place in elastic else width, "L" if place < left else "R", place in elastic)
        for place, width in enumerate(widths)
    ]
    _row(pdf, headings, columns, pdf.bold)
    for row in shown:
        if pdf.will_page_break(_lines_of(pdf, row, columns) * ROW_MM):
            pdf.add_page()
            _row(pdf, headings, columns, pdf.bold)
        _row(pdf, row, columns, "")


class _Column(NamedTuple):
    """A column of a table: its width in millimetres, its alignment, and whether its cells may be smaller or longer than a line."""

    width: float
    align: str
    is_elastic: bool


def _lines_of(pdf: _Paper, row: Sequence[str], columns: Sequence[_Column]) -> int:
    """Return how many lines a row needs."""
    pdf.set_font(pdf.family, "", SMALL)
    return max(
        len(_wrapped(pdf, cell, column)) if column.is_elastic else 1 for cell, column in zip(row, columns, strict=True)
    )


def _row(pdf: _Paper, row: Sequence[str], columns: Sequence[_Column], style: str) -> None:
    """Write a row with a line below it; a cell that fits is written as it is, since measuring each word takes long."""
    top, height = pdf.get_y(), 1
    pdf.set_font(pdf.family, style, SMALL)
    for cell, column in zip(row, columns, strict=True):
        x, lines = pdf.get_x(), _wrapped(pdf, cell, column) if column.is_elastic else [cell]
        height = max(height, len(lines))
        for number, line in enumerate(lines):
            pdf.set_xy(x, top + number * ROW_MM)
            _fit(pdf, line, column, style)
        pdf.set_xy(x + column.width, top)
    bottom = top + height * ROW_MM
    pdf.line(pdf.l_margin, bottom, pdf.w - pdf.r_margin, bottom)
    pdf.set_xy(pdf.l_margin, bottom)


def _wrapped(pdf: _Paper, cell: str, column: _Column) -> list[str]:
    """Return a cell's lines: broken between words alone, so that no code is broken."""
    room = column.width - PADDING_MM
    if pdf.get_string_width(cell) <= room:
        return [cell]
    lines: list[str] = []
    for word in cell.split():
        if lines and pdf.get_string_width(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _fit(pdf: _Paper, line: str, column: _Column, style: str) -> None:
    """Write a line of a cell, as small as it must be if it is wider than its column: a code is not broken, nor over another one."""
    room = column.width - PADDING_MM
    wide = pdf.get_string_width(line) if column.is_elastic else 0.0
    if wide > room:
        pdf.set_font(pdf.family, style, SMALL * room / wide)
    pdf.cell(column.width, ROW_MM, line, align=column.align)
    if wide > room:
        pdf.set_font(pdf.family, style, SMALL)
