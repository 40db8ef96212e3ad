"""What the browser tests share: one browser and one site for all of them, and pages of many kinds.

Where no Chromium is found they are skipped, and the run says so loudly; where CI is set a skipped test fails the run.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

from tests.e2e.browser import chromium
from tests.e2e.browser import page_looks as looking
from tests.e2e.browser.site import Site, running

Opened = Callable[..., Page]
# Whether a page may run its scripts: one way at once, the other in the thorough run.
WITH_SCRIPT_FIRST = (True, pytest.param(False, marks=pytest.mark.thorough))
WITHOUT_SCRIPT_FIRST = (False, pytest.param(True, marks=pytest.mark.thorough))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return the browser; it ends with this package's tests, since Playwright holds the thread's event loop until then."""
    path = chromium.found()
    if path is None:
        pytest.skip(chromium.MISSING)
    with chromium.running(path) as started:
        yield started


@pytest.fixture(scope="package")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: ARG001 - none without a browser
    """Return the site that all tests share: they may add to it."""
    directory: Path = tmp_path_factory.mktemp("site")
    with running(directory, "traffic", "adverse") as started:
        yield started


def refuse(dialog: Dialog, errors: list[str]) -> None:
    """Count a dialog as an error, and close it."""
    errors.append(f"a dialog: {dialog.message}")
    dialog.dismiss()


@pytest.fixture
def opened(browser: Browser, site: Site) -> Iterator[Opened]:
    """Return a function that opens a window, signed in as a user; an error in a page's script fails the test."""
    errors: list[str] = []
    with ExitStack() as windows:

        def open_(
            name: str | None = "boss", then: str = "/", size: str = "desk", theme: str = "light", *, script: bool = True
        ) -> Page:
            page = windows.enter_context(looking.context(browser, size, theme, script=script)).new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("dialog", lambda dialog: refuse(dialog, errors))
            page.on("console", lambda said: errors.append(said.text) if _is_refusal(said.text) else None)
            if name:
                site.sign_in(page, name, then)
                page.wait_for_load_state()  # Keys are heard once the page's script has run.
            return page

        yield open_
    assert not errors


def _is_refusal(text: str) -> bool:
    return "Content Security Policy" in text


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where everybody looks, not only among the reasons for skipping."""
    if chromium.found() is None:
        terminalreporter.section("NO BROWSER", sep="=", red=True, bold=True)
        terminalreporter.write_line(chromium.MISSING, red=True)
