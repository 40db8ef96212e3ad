"""The documents: the README, its neighbours, and every page of the site; a new page is found by itself."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def name(document: Path) -> str:
    """Return a document's path from the root of the checkout."""
    return str(document.relative_to(ROOT))


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Return the commands that a text's consoles show, each with the output that it shows below."""
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def mentioned_commands(text: str) -> Iterator[str]:
    """Return the tringledger commands that a text names, in its lines or in blocks that nobody runs."""
    unfenced = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`(tringledger [^`]+)`", unfenced)
    for block in blocks(text, "sh"):
        whole = block.replace("\\\n", " ")  # A line that ends in a backslash continues in the next one.
        yield from re.findall(r"^(?:\S+/)?(tringledger [^#\n]+)", whole, re.MULTILINE)
