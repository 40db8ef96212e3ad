"""A call's page: step through its time by slider, keys, links and marks, and see why each notice is where it is."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import WITH_SCRIPT_FIRST, WITHOUT_SCRIPT_FIRST, Opened
from tests.e2e.browser.site import HOSTILE, LIVELY, SEEN, Site
from tests.support.notices import callstatus, priced_cdr

STEPS = 7


def heading(page: Page, number: int) -> None:
    expect(page.locator("#state-title")).to_have_text(re.compile(f"After event {number} of {STEPS}"))


def test_slider_and_keys_step_through_time_and_mark_what_changed(opened: Opened) -> None:
    page = opened("boss", f"/calls/{LIVELY}")
    heading(page, STEPS)
    expect(page.locator(".state tr.changed", has_text="Has its CDR")).to_contain_text("yes")
    page.keyboard.press("k")
    heading(page, 6)
    expect(page).to_have_url(re.compile(r"\?at=\d+$"))
    expect(page.locator(".state tr.changed", has_text="Deciding status")).to_contain_text("COMPLETED")
    page.get_by_label("Step in time").fill("2")
    heading(page, 2)
    expect(page.locator(".state tr.changed", has_text="Digits")).to_have_count(1)
    expect(page.locator("[data-event='2']")).to_have_attribute("aria-current", "step")
    page.keyboard.press("j")
    heading(page, 3)
    page.reload()
    heading(page, 3)
    page.get_by_role("link", name="Event 1: SRCANSWERED").click()
    heading(page, 1)
    page.get_by_role("link", name="As it stands now").click()
    heading(page, STEPS)


def test_without_javascript_links_do_the_same(opened: Opened) -> None:
    page = opened("boss", f"/calls/{LIVELY}", script=False)
    expect(page.get_by_label("Step in time")).to_be_hidden()
    page.get_by_role("link", name=re.compile("Earlier")).click()
    heading(page, 6)
    page.get_by_role("link", name=re.compile("Earlier")).click()
    heading(page, 5)
    page.get_by_role("link", name=re.compile("Later")).click()
    heading(page, 6)
    page.get_by_role("link", name="Event 1: SRCANSWERED").click()
    heading(page, 1)


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_an_event_unfolds_to_its_parameters_its_signature_and_its_rule(opened: Opened, script: bool) -> None:  # noqa: FBT001
    page = opened("boss", f"/calls/{LIVELY}", script=script)
    event = page.locator("[data-event='1']")
    event.locator("summary").click()
    expect(event.get_by_role("row", name="src 18585558994")).to_be_visible()
    expect(event).to_contain_text("Rule 7.")
    expect(event).to_contain_text("It fitted: md5-params")
    expect(event).to_contain_text("It fits as when it came")


def test_who_may_not_see_numbers_and_digits_sees_them_masked(opened: Opened) -> None:
    page = opened("reader", f"/calls/{LIVELY}")
    page.locator("[data-event='2'] summary").click()
    expect(page.locator("[data-event='2']").get_by_role("row", name=re.compile("^p "))).to_contain_text("••••")
    assert "18585558994" not in page.content()
    assert "686553707090" not in page.content()


def test_a_narrow_screen_has_time_downwards_and_paper_of_any_width_from_left_to_right(opened: Opened) -> None:
    page = opened("boss", f"/calls/{LIVELY}", size="phone")
    across, down = page.locator(".life.across"), page.locator(".life.down")
    expect(down).to_be_visible()
    expect(across).to_be_hidden()
    page.emulate_media(media="print")
    expect(across).to_be_visible()
    expect(down).to_be_hidden()


def test_neighbours_of_the_line_lead_to_each_other(opened: Opened, site: Site) -> None:
    src = "18587770001"
    for number in range(2):
        first, second, last = (callstatus(r=number * 10 + step, tag="twice", src=src) for step in range(3))
        site.call_back(first, callstatus(r=number * 10 + 5, tag="twice", src=src, status="COMPLETED"))
        site.call_back(priced_cdr(r=number * 10 + 6, tag="twice", src=src))
        assert second != last
    site.wait_until_shown()
    page = opened("boss", "/?tag=twice")
    page.locator("[data-rows=ended] a.call").first.click()
    here = page.url
    page.get_by_role("region", name="Neighbours on its line").get_by_role("link").click()
    expect(page).not_to_have_url(here)
    expect(page.get_by_text("of its line")).to_be_visible()


@pytest.mark.parametrize("script", WITHOUT_SCRIPT_FIRST)
def test_hostile_text_is_only_ever_shown_as_text(opened: Opened, site: Site, script: bool) -> None:  # noqa: FBT001
    src = f"1858777{1000 + script:04d}"
    site.call_back(callstatus(r=1, tag=HOSTILE, src=src, status=HOSTILE, evil=HOSTILE))
    site.wait_until_shown()
    page = opened("boss", script=script)
    page.locator("[data-rows=live] tr").filter(has_text=src).locator("a.call").click()
    event = page.locator("[data-event='1']")
    event.locator("summary").click()
    expect(event.locator("summary .what")).to_have_text(SEEN)
    expect(event.get_by_role("row", name="evil").locator("td")).to_have_text(SEEN)
    assert page.locator("main script").count() == 0


def test_what_is_no_call_and_no_moment_is_said_so(opened: Opened, site: Site) -> None:
    page = opened("boss", f"/calls/{LIVELY}?at=yesterday")
    expect(page.get_by_role("alert")).to_contain_text("'yesterday' is not a moment")
    page.goto(f"{site.url}/calls/00000000-0000-5000-8000-000000000000")
    expect(page.get_by_role("alert")).to_contain_text("no call")
