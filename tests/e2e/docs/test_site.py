"""The site is built without a warning, and the README stays short and leads into it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from generated_reference import PAGES
from tests.e2e.docs.documents import DOCS, DOCUMENTS, README, ROOT, name

WORDS_IN_README_MAX = 900


@pytest.mark.thorough  # `make docs`, which CI runs before, builds it the same way.
def test_the_site_is_built_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--builder", "html"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pages = [each.relative_to(DOCS).with_suffix(".html") for each in DOCUMENTS if each.is_relative_to(DOCS)]
    assert [str(page) for page in pages if not (tmp_path / page).exists()] == []
    assert [page for page in PAGES if "<section id=" not in (tmp_path / f"{page}.html").read_text()] == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text().split()) <= WORDS_IN_README_MAX


def test_links_from_outside_the_site_lead_to_files() -> None:
    broken = [
        (name(document), target)
        for document in DOCUMENTS
        if not document.is_relative_to(DOCS)
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []
