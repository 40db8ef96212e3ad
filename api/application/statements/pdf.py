"""Statements as PDF, with fpdf2, which is pure Python; the extra ``pdf`` installs it.

The fonts that every PDF reader has are for western Europe only. To bill accounts in other scripts, name a TrueType font.
"""

from pathlib import Path

from api.application.statements.sheet import HEADINGS, TEXT_COLUMNS, Sheet, statement_sheet
from domain.errors import LedgerError, MissingDriver
from domain.times import to_datetime
from projections.queries.statement import Statement

try:
    from fpdf import FPDF
    from fpdf.enums import TableBordersLayout
    from fpdf.errors import FPDFException
    from fpdf.fonts import FontFace
except ImportError as _missing:
    raise MissingDriver("a statement as PDF needs fpdf2: `pip install 'tringledger[pdf]'`") from _missing

FAMILY = "statement"
WIDTHS = (11, 30, 7, 10, 11, 10, 14, 12, 16)
MARGIN_MM = 15
FONT_STARTS = (b"\0\1\0\0", b"true", b"OTTO")
SMALL, NORMAL, LARGE = 7.5, 10, 16


class MissingGlyphs(LedgerError):
    """The PDF's font lacks letters that the statement needs."""


def as_pdf(statement: Statement, font: Path | None = None) -> bytes:
    """Return a PDF; for a closed month it is always the same. Raises MissingGlyphs if the font lacks letters."""
    pdf = FPDF(orientation="landscape", format="A4")
    if closed := statement.heading.closed:
        pdf.set_creation_date(to_datetime(closed.at))
    pdf.set_margin(MARGIN_MM)
    pdf.set_auto_page_break(auto=True, margin=MARGIN_MM)
    family = "helvetica" if font is None else _own_font(pdf, font)
    shown = statement_sheet(statement)
    pdf.set_title(f"{shown.title}: {shown.account}")
    pdf.add_page()
    try:
        _write(pdf, family, shown)
        return bytes(pdf.output())
    except (FPDFException, UnicodeEncodeError) as error:
        msg = f"the PDF's font lacks letters of the statement ({error}); expected --font FILE.ttf with a font that has them"
        raise MissingGlyphs(msg) from error


def _own_font(pdf: FPDF, font: Path) -> str:
    with font.open("rb") as file:
        if file.read(len(FONT_STARTS[0])) not in FONT_STARTS:
            raise _unfit(font, "it begins like none")
    try:
        for style in ("", "B"):
            pdf.add_font(FAMILY, style, font)
    except Exception as error:  # The font library has no common error class.
        raise _unfit(font, str(error)) from error
    return FAMILY


def _unfit(font: Path, why: str) -> MissingGlyphs:
    return MissingGlyphs(f"{font} cannot be used as a font; expected a TrueType or OpenType file ({why})")


def _write(pdf: FPDF, family: str, shown: Sheet) -> None:
    for text, style, size in ((shown.title, "B", LARGE), (shown.account, "", NORMAL), (shown.state, "", NORMAL)):
        pdf.set_font(family, style, size)
        pdf.multi_cell(0, None, text, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(4)
    pdf.set_font(family, "", SMALL)
    _table(pdf, shown)
    pdf.ln(4)
    for note in shown.notes:
        pdf.multi_cell(0, None, note, new_x="LMARGIN", new_y="NEXT")


def _table(pdf: FPDF, shown: Sheet) -> None:
    align = ("LEFT",) * TEXT_COLUMNS + ("RIGHT",) * (len(HEADINGS) - TEXT_COLUMNS)
    bold = FontFace(emphasis="BOLD")
    with pdf.table(
        col_widths=WIDTHS,
        text_align=align,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=bold,
    ) as table:
        for cells in (HEADINGS, *shown.rows):
            table.row(cells)
        table.row(shown.total, style=bold)
        for words, amount in shown.ends:
            row = table.row(style=bold)
            row.cell("")
            row.cell(words, colspan=len(HEADINGS) - TEXT_COLUMNS)
            row.cell(amount)
