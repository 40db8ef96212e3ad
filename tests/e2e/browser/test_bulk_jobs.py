"""A bad day's quarantine is settled from the browser: all that fit the filters, as a job whose page shows its progress and its end."""

import re

from playwright.sync_api import expect

from tests.e2e.browser import page_looks as looking
from tests.e2e.browser.conftest import Opened
from tests.e2e.browser.site import Site
from tests.support.command import run
from tests.support.notices import callstatus

NOTICES = 30
REASON = "a stranger's test of the address"


def waiting(site: Site, tag: str) -> int:
    """Return of how many notices with such a tag the command says that they wait."""
    return len(run("quarantine", "list", "--tag", tag, "--format", "json", "--store", site.store).json())


def test_all_notices_that_fit_are_resolved_as_a_job_and_the_command_says_the_same(opened: Opened, site: Site) -> None:
    strange = [callstatus(r=number, tag=f"stranger-{number % 3}", src="18585559944") for number in range(NOTICES)]
    assert set(site.call_back(*strange, callstatus(tag="strangely-right"), key="not-ours")) == {403}
    assert waiting(site, "stranger-*") == NOTICES
    page = opened("boss", "/quarantine")
    page.get_by_label("Tag", exact=True).fill("stranger-*")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("region", name="Notices").locator("tbody tr")).to_have_count(NOTICES)
    page.get_by_label("All that fit the filters, as a job").check()
    page.get_by_label("Reason for not recording them").fill(REASON)
    page.get_by_role("button", name="Resolve").click()
    expect(page).to_have_url(re.compile("/bulk-jobs/"))
    expect(page.locator("[data-bulk-job=done]")).to_contain_text(f"{NOTICES} of {NOTICES}")
    expect(page.get_by_role("progressbar")).to_have_js_property("value", NOTICES)
    expect(page.get_by_role("button", name="Stop it")).to_have_count(0)
    assert not looking.grave_troubles(page)
    assert waiting(site, "stranger-*") == 0
    assert waiting(site, "strangely-*") == 1
    page.goto(f"{site.url}/quarantine?tag=stranger-*&settled=1")
    expect(page.locator("tr.settled")).to_have_count(NOTICES)
    page.goto(f"{site.url}/events?why=stranger")
    expect(page.locator("main tbody tr").first).to_contain_text(REASON)
