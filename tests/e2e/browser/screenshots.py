"""``python -m tests.e2e.browser.screenshots FOLDER [PATH...]``: every page as it looks, at two sizes, light and dark."""

import sys
import tempfile
from pathlib import Path

from tests.e2e.browser import chromium
from tests.e2e.browser import page_looks as looking
from tests.e2e.browser.site import Site, running
from tests.support.notices import callstatus, priced_cdr

PATHS = (
    *("/", "/?state=stale", "CALL", "/calls", "/cdrs", "/billing?period=2026-10", "/accounts/dept-2?period=2026-10"),
    *("/exceptions", "/quarantine", "/quarantine/1", "/operations", "/search?q=dept", "/access-log"),
    *("/traffic?period=2026-10", "/traffic/quality?period=2026-10", "/billing/comparison?period=2026-11"),
)


def main(folder: Path, paths: list[str]) -> None:
    """Take the pictures."""
    path = chromium.found()
    if path is None:
        sys.exit(chromium.MISSING)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        running(Path(directory), "traffic", "adverse") as site,
        chromium.running(path) as browser,
    ):
        _call(site)
        for size in looking.SIZES:
            for theme in looking.THEMES:
                page = looking.context(browser, size, theme).new_page()
                site.sign_in(page, "boss")
                for each in paths or PATHS:
                    page.goto(site.url + site.path(each))
                    looking.wait_for_fragments(page)
                    page.wait_for_timeout(700)  # What moves, such as a chart, comes to rest.
                    name = each.strip("/").replace("/", "-").replace("?", "-").replace("=", "-") or "live"
                    page.screenshot(path=folder / f"{name}-{size}-{theme}.png", full_page=True)
                page.context.close()


def _call(site: Site) -> None:
    """Have some calls in progress, and one just ended."""
    for number, tag in enumerate(("sales", "support", "night shift")):
        src = f"1858600{number:04d}"
        site.call_back(
            callstatus(r=1, tag=tag, src=src), callstatus(r=2, tag=tag, src=src, status="USERDTMFINPUT", p="1234")
        )
    site.call_back(
        callstatus(r=1, tag="sales", src="18586009999"),
        callstatus(r=2, tag="sales", src="18586009999", status="COMPLETED"),
        priced_cdr(r=3, tag="sales", src="18586009999"),
    )
    site.wait_until_shown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
