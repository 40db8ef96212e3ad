"""The live page: calls come in while one looks, a pause gathers them, and without JavaScript it is a page like any other."""

import re
from itertools import count
from time import monotonic

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import WITH_SCRIPT_FIRST, WITHOUT_SCRIPT_FIRST, Opened
from tests.e2e.browser.site import HOSTILE, SEEN, STALE, UNPAID, Site
from tests.support.notices import callstatus, priced_cdr

SECONDS_TO_SHOW = 2.0
_numbers = count(700_000)


def number() -> str:
    """Return a phone number that no other test calls from."""
    return f"1858{next(_numbers):07d}"


def test_a_callback_appears_within_two_seconds_and_the_call_moves_on_until_its_cdr(opened: Opened, site: Site) -> None:
    page, src = opened("boss"), number()
    expect(page.get_by_text("Up to date")).to_be_visible()
    begun = monotonic()
    assert site.call_back(callstatus(r=1, tag="live", src=src)) == [200]
    line = page.locator("[data-rows=live] tr").filter(has_text=src)
    expect(line).to_be_visible(timeout=SECONDS_TO_SHOW * 1000)
    assert monotonic() - begun < SECONDS_TO_SHOW
    expect(line).to_contain_text("SRCANSWERED")
    running = line.locator("[data-since]")
    expect(running).not_to_have_text(running.inner_text())

    site.call_back(
        callstatus(r=2, tag="live", src=src, status="DESTBUSY"), priced_cdr(r=3, tag="live", src=src, destduration="0")
    )
    ended = page.locator("[data-rows=ended] tr").filter(has_text=src)
    expect(ended).to_contain_text("busy")
    expect(ended).to_contain_text("CDR")
    expect(line).to_have_count(0)
    ended.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/calls/"))


def test_a_pause_gathers_what_is_new_and_says_how_much(opened: Opened, site: Site) -> None:
    page, first, second = opened("boss"), number(), number()
    expect(page.get_by_text("Up to date")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    site.call_back(callstatus(r=1, src=first), callstatus(r=1, src=second))
    expect(page.get_by_role("button", name="Resume (2 new)")).to_be_visible()
    expect(page.get_by_text(first)).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-rows=live] tr").filter(has_text=first)).to_be_visible()
    expect(page.locator("[data-rows=live] tr").filter(has_text=second)).to_be_visible()


def test_who_may_not_see_numbers_sees_them_masked_in_the_page_and_in_what_is_pushed(opened: Opened, site: Site) -> None:
    page, src = opened("reader"), number()
    expect(page.get_by_text("Up to date")).to_be_visible()
    pushed = page.evaluate(
        "new Promise((done) => addEventListener('pushed', (e) => done(e.detail), {once: true})) && 0"
    )
    assert pushed == 0
    site.call_back(callstatus(r=1, tag=f"mask-{src[-4:]}", src=src))
    line = page.locator("[data-rows=live] tr").filter(has_text=f"mask-{src[-4:]}")
    expect(line).to_contain_text("•••")
    assert src not in page.content()
    page.reload()
    expect(page.locator("[data-rows=live] tr").filter(has_text=f"mask-{src[-4:]}")).to_contain_text("•••")
    assert src not in page.content()


def test_a_page_that_was_cut_off_gets_what_it_missed(opened: Opened, site: Site) -> None:
    page, src = opened("boss"), number()
    expect(page.get_by_text("Up to date")).to_be_visible()
    page.context.set_offline(True)
    site.call_back(callstatus(r=1, src=src))
    page.context.set_offline(False)
    expect(page.locator("[data-rows=live] tr").filter(has_text=src)).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_tiles_lead_to_the_calls_of_one_state(opened: Opened, site: Site, script: bool) -> None:  # noqa: FBT001
    src = number()
    site.call_back(callstatus(r=1, src=src))
    site.wait_until_shown()
    page = opened("boss", script=script)
    page.get_by_role("link", name=re.compile("^Stale")).click()
    expect(page.get_by_role("heading", name="Stale calls")).to_be_visible()
    expect(page.get_by_text(STALE)).to_be_visible()
    expect(page.get_by_text(src)).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Missing CDR")).click()
    expect(page.get_by_text(UNPAID)).to_be_visible()
    page.get_by_role("link", name=re.compile("^In progress")).click()
    expect(page.get_by_text(src)).to_be_visible()
    expect(page.get_by_role("heading", name="Just ended")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("heading", name="Just ended")).to_be_visible()


def test_without_javascript_it_shows_the_calls_and_how_to_load_it_again(opened: Opened, site: Site) -> None:
    page, src = opened("boss", script=False), number()
    site.call_back(callstatus(r=1, src=src))
    site.wait_until_shown()
    expect(page.get_by_text(src)).to_have_count(0)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("link", name="Load again").click()
    expect(page.locator("[data-rows=live] tr").filter(has_text=src)).to_be_visible()


@pytest.mark.parametrize("script", WITHOUT_SCRIPT_FIRST)
def test_hostile_text_is_only_ever_shown_as_text(opened: Opened, site: Site, script: bool) -> None:  # noqa: FBT001
    page, src = opened("boss", script=script), number()
    if script:
        expect(page.get_by_text("Up to date")).to_be_visible()
    site.call_back(callstatus(r=1, tag=HOSTILE, src=src), callstatus(r=2, tag=HOSTILE, src=src, status=HOSTILE))
    site.wait_until_shown()
    if not script:
        page.reload()
    line = page.locator("[data-rows=live] tr").filter(has_text=src)
    expect(line.locator("td.text")).to_have_text(SEEN)
    expect(line.locator("td.last bdi")).to_have_text(SEEN)
    assert page.locator("main script").count() == 0
