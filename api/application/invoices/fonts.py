"""The fonts of PDFs: those of every reader where they suffice, else Noto for the scripts that a text has.

The extra ``pdf`` installs the fonts: Latin, Greek and Cyrillic, Arabic, Hebrew, Devanagari, Thai, Chinese, Japanese and Korean.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.fonts import TTFFont

CORE = "helvetica"
FAMILY = "noto"
# Its letters are thin unless another weight is asked for.
THIN, REGULAR = "NotoSansHebrew-Variable.ttf", {"wght": 400.0}
# The first font that has a letter shows it.
FONTS = (
    ("fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf"),
    ("fontpkg_noto_sans_arabic", "files/NotoSansArabic[wdth,wght].ttf"),
    ("pylopdf_fonts_he", THIN),
    ("fontpkg_noto_sans_devanagari", "files/NotoSansDevanagari[wdth,wght].ttf"),
    ("fontpkg_noto_sans_thai", "files/NotoSansThai[wdth,wght].ttf"),
    ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
    ("pylopdf_fonts_ko", "NotoSansKR-Regular.otf"),
)


def is_core(text: str) -> bool:
    """Whether the fonts of every PDF reader have all letters of a text."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def use_fonts(pdf: FPDF, text: str) -> tuple[str, frozenset[int]]:
    """Give a PDF the fonts for a text; return the family, and the letters that no font has."""
    missing = {ord(letter) for letter in text} - {ord("\n")}
    families: list[str] = []
    for number, (path, letters) in enumerate(_installed()):
        if number and not missing & letters:
            continue
        family = f"{FAMILY}{number}"
        pdf.add_font(family, "", path, variations=REGULAR if path.name == THIN else None)
        missing -= letters
        families.append(family)
    pdf.set_font(families[0])
    pdf.set_fallback_fonts(families[1:], exact_match=False)
    pdf.set_text_shaping(use_shaping_engine=True)
    return families[0], frozenset(missing)


def close_fonts(pdf: FPDF) -> None:
    """Close the files of a PDF's fonts, which it leaves open."""
    for font in pdf.fonts.values():
        if isinstance(font, TTFFont):
            font.ttfont.close()


@lru_cache(maxsize=1)
def _installed() -> tuple[tuple[Path, frozenset[int]], ...]:
    return tuple(_fonts())


def _fonts() -> Iterator[tuple[Path, frozenset[int]]]:
    for package, name in FONTS:
        with as_file(files(package).joinpath(name)) as path, TTFont(path, lazy=True) as font:
            yield path, frozenset(font.getBestCmap())
