"""The documents describe the code as it stands: the paths that they name exist, and every folder is explained.

It belongs to the rules of the house and not to the tests of documents, so that a move and its documents land together.
"""

import re

from tests.e2e.docs.documents import DOCS, DOCUMENTS, ROOT, name

PACKAGES = ("api", "domain", "projections")


def test_paths_of_the_code_that_are_named_exist() -> None:
    missing = [
        (name(document), path)
        for document in DOCUMENTS
        for path in re.findall(r"`((?:api|docs|domain|projections|tests)/[\w./-]*)`", document.read_text())
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_the_page_on_architecture_names_every_folder_of_the_code() -> None:
    text = (DOCS / "explanation/architecture.md").read_text()
    folders = [
        f"{each.relative_to(ROOT)}/"
        for package in PACKAGES
        for each in (ROOT / package).iterdir()
        if (each / "__init__.py").exists() or list(each.glob("*.py"))
    ]
    assert [folder for folder in folders if f"`{folder}`" not in text] == []
