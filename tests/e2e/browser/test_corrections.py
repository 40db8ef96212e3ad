"""An operator corrects from the browser, by the keyboard alone; nothing is done before it is confirmed."""

from playwright.sync_api import Page, expect

from tests.e2e.browser import page_looks as looking
from tests.e2e.browser.conftest import Opened
from tests.e2e.browser.site import Site
from tests.support.notices import callstatus, priced_cdr

LINE = {"tag": "corrected", "src": "18585559955"}
REASON = "our own test"
TABS_MAX = 80


def tab_to(page: Page, selector: str) -> None:
    """Press the tab key until the focus is on an element."""
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(selector)


def test_a_call_is_voided_by_the_keyboard_after_its_money_was_shown(opened: Opened, site: Site) -> None:
    answered = callstatus(r=1, **LINE), callstatus(r=2, status="COMPLETED", **LINE)
    assert site.call_back(*answered, priced_cdr(r=3, **LINE)) == [200, 200, 200]
    site.wait_until_shown()
    page = opened("boss", "/cdrs?tag=corrected")
    page.locator("a.call").click()
    tab_to(page, "summary:has(+ form [value=void])")
    page.keyboard.press("Enter")
    tab_to(page, "#reason-void")
    page.keyboard.type(REASON)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Money that moves").locator('[value="-3.5"]').first).to_be_visible()
    assert not looking.grave_troubles(page)
    assert looking.overflow(page) == 0
    tab_to(page, "#reason")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("done, at position")
    expect(page.locator(".corrections")).to_contain_text("call voided")
    expect(page.locator(".corrections")).not_to_contain_text("Void: take it off")
