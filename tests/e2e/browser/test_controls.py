"""By which ways hands reach what pages offer: facets, the theme, a table's boxes; by keyboard, and without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import WITH_SCRIPT_FIRST, WITHOUT_SCRIPT_FIRST, Opened
from tests.e2e.browser.site import Site


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_a_facet_is_one_more_filter_and_lets_go_of_it_again(opened: Opened, site: Site, script: bool) -> None:  # noqa: FBT001
    page = opened("reader", "/cdrs?tag=dept-2", script=script)
    for wanted in ("/cdrs?tag=dept-2&disposition=ANSWERED", "/cdrs?tag=dept-2"):
        if not script:
            page.get_by_role("link", name="Count tags, dispositions and flags").click()
        page.get_by_role("complementary").get_by_role("link", name=re.compile("^answered")).click()
        expect(page).to_have_url(site.url + wanted)


@pytest.mark.parametrize("script", WITHOUT_SCRIPT_FIRST)
def test_the_theme_is_chosen_on_the_page_at_hand(opened: Opened, site: Site, script: bool) -> None:  # noqa: FBT001
    page = opened("reader", "/cdrs?tag=dept-2", script=script)
    page.get_by_role("link", name="Show pages dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(f"{site.url}/cdrs?tag=dept-2")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_an_exception_is_resolved_by_keyboard_alone(opened: Opened, site: Site) -> None:
    page = opened("boss", "/exceptions?flag=unrecognised-type")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("checkbox").first.focus()
    page.keyboard.press("Space")
    page.get_by_label("Reason for the chosen ones").focus()
    page.keyboard.type("looked at")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 resolved")
    expect(page.locator("tr.settled")).to_contain_text("looked at")
    assert page.url.startswith(f"{site.url}/exceptions?flag=unrecognised-type")
