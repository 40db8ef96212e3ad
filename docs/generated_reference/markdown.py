"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a column without any text is left out, and a bar in a cell is escaped."""
    kept = [column for column in zip(columns, *rows, strict=True) if any(column[1:])]
    heads, *filled = zip(*kept, strict=True)
    lines = [heads, ["---"] * len(heads), *filled]
    return "".join(f"| {' | '.join(_cell(text) for text in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def code(text: str) -> str:
    """Return a text in the type of code, or nothing for an empty one."""
    return f"`{text}`" if text else ""


def paragraphs(docstring: str | None) -> str:
    """Return a docstring as Markdown: its lines joined to paragraphs, its literals in single backquotes."""
    text = (docstring or "").replace("``", "`").strip()
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
