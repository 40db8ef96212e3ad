"""What an auditor does in a day, with JavaScript and without: in, filter, from a bar to its CDRs, mend, look up, and out."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import WITH_SCRIPT_FIRST, WITHOUT_SCRIPT_FIRST, Opened
from tests.e2e.browser.site import LIVELY, ROTATED, Site

# The tallest bar of one account: where it is in the window, and the amount in the table's cell that it stands for.
TALLEST_BAR = """() => {
  const canvas = document.querySelector("[data-chart] canvas");
  const table = document.getElementById(canvas.closest("[data-chart]").dataset.chart);
  const chart = Chart.getChart(canvas);
  let best = null;
  const link = (series, step) => table.tBodies[0].rows[step].cells[series + 1].querySelector("a");
  chart.data.datasets.forEach((set, series) => set.data.forEach((value, step) => {
    if (link(series, step) && (!best || value > best.value)) best = { value, series, step };
  }));
  canvas.scrollIntoView({ block: "center" });
  const bar = chart.getDatasetMeta(best.series).data[best.step];
  const box = canvas.getBoundingClientRect();
  const cell = table.tBodies[0].rows[best.step].cells[best.series + 1];
  return { x: box.x + bar.x, y: box.y + (bar.y + bar.base) / 2, amount: cell.querySelector("data").value };
}"""


def sum_of_prices(page: Page) -> str:
    """Return what the prices of a list's whole selection sum up to, as the page has it."""
    all_of_it = page.get_by_role("link", name="Sum up the whole selection")
    if page.locator("[data-zone-switch]").is_hidden():  # Without JavaScript the sum is a link away.
        all_of_it.click()
    expect(all_of_it).to_have_count(0)
    # Where something was posted beside the CDRs, the sum of both is the one that was billed.
    value = page.locator("[data-sum=price] data").get_attribute("value")
    assert value
    return value


def test_a_bar_leads_to_its_cdrs_whose_total_is_the_same_to_the_last_digit(opened: Opened) -> None:
    page = opened("boss", "/billing?period=2026-10&by=day&measure=price")
    expect(page.locator("figure[data-chart]")).to_be_visible()
    bar = page.evaluate(TALLEST_BAR)
    page.mouse.click(bar["x"], bar["y"])
    expect(page).to_have_url(re.compile("/cdrs\\?"))
    assert sum_of_prices(page) == bar["amount"]


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_an_accounts_row_leads_to_its_cdrs_whose_total_is_the_same(opened: Opened, script: bool) -> None:  # noqa: FBT001
    page = opened("boss", "/billing?period=2026-10", script=script)
    row = page.get_by_role("region", name="Accounts").locator("tbody tr").first
    link = row.get_by_role("link").nth(1)
    amount = link.locator("data").get_attribute("value")
    link.click()
    expect(page).to_have_url(re.compile("/cdrs\\?"))
    assert sum_of_prices(page) == amount


@pytest.mark.parametrize("script", WITHOUT_SCRIPT_FIRST)
def test_filters_stand_in_the_address_and_can_be_taken_back(opened: Opened, script: bool) -> None:  # noqa: FBT001
    page = opened("boss", "/cdrs", script=script)
    page.get_by_label("Tag", exact=True).fill("dept-2")
    page.get_by_label("Disposition", exact=True).select_option("ANSWERED")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile("tag=dept-2"))
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["tag"], asked["disposition"]) == (["dept-2"], ["ANSWERED"])
    tags = page.locator(".sheet tbody tr")
    expect(tags.first).to_contain_text("dept-2")
    assert tags.count() == tags.filter(has_text="dept-2").filter(has_text="answered").count()
    page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(re.compile("/cdrs$"))


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_a_list_is_sorted_and_turned_page_by_page(opened: Opened, script: bool) -> None:  # noqa: FBT001
    page = opened("boss", "/cdrs", script=script)
    first = page.locator(".sheet tbody tr").first.inner_text()
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".sheet tbody tr").first).not_to_have_text(first)
    page.get_by_role("link", name="Back").click()
    assert page.locator(".sheet tbody tr").first.inner_text() == first
    page.get_by_role("columnheader", name="Price").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Price")).to_have_attribute("aria-sort", re.compile("ending$"))


@pytest.mark.parametrize("script", WITHOUT_SCRIPT_FIRST)
def test_a_quarantined_notice_is_looked_at_and_reprocessed(opened: Opened, script: bool) -> None:  # noqa: FBT001
    tag, src = ROTATED[script]
    page = opened("boss", "/quarantine", script=script)
    page.locator("tbody tr", has_text=tag).get_by_role("link").first.click()
    expect(page.locator("pre.raw")).to_contain_text(src)
    page.get_by_role("button", name="Reprocess").click()
    expect(page.get_by_text("not yet")).to_have_count(0)
    expect(page.get_by_role("button", name="Reprocess")).to_have_count(0)
    page.get_by_role("definition").filter(has_text="at position").get_by_role("link").click()
    expect(page.locator("main")).to_contain_text(src)


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_the_search_box_takes_a_calls_id_from_anywhere(opened: Opened, script: bool) -> None:  # noqa: FBT001
    page = opened("boss", "/operations", script=script)
    if script:
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill(LIVELY)
    page.get_by_role("searchbox").press("Enter")
    expect(page).to_have_url(re.compile(f"/calls/{LIVELY}"))


@pytest.mark.parametrize("script", WITHOUT_SCRIPT_FIRST)
def test_an_exception_is_resolved_with_a_reason(opened: Opened, script: bool) -> None:  # noqa: FBT001
    page = opened("boss", "/exceptions?flag=unrecognised-status", script=script)
    chosen = page.locator("tbody tr", has_text="open").first
    position = chosen.get_by_role("link").first.inner_text()
    chosen.get_by_role("checkbox").check()
    page.get_by_label("Reason for the chosen ones").fill("agreed with TringMe")
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("heading", name="Exceptions")).to_be_visible()
    for _ in range(20):  # The act is recorded at once; the read models follow within a moment.
        if page.locator("tbody tr", has_text=position).filter(has_text="agreed with TringMe").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(page.locator("tbody tr", has_text=position).first).to_contain_text("agreed with TringMe")


@pytest.mark.parametrize("script", WITH_SCRIPT_FIRST)
def test_who_signs_out_sees_nothing_any_more(opened: Opened, site: Site, script: bool) -> None:  # noqa: FBT001
    page = opened("reader", script=script)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{site.url}/cdrs")
    expect(page).to_have_url(re.compile("/sign-in\\?next=%2Fcdrs"))


def test_who_may_only_read_is_offered_nothing_that_changes(opened: Opened, site: Site) -> None:
    page = opened("reader")
    for path in ("/quarantine", "/exceptions", "/operations"):
        page.goto(site.url + path)
        expect(page.get_by_role("button", name=re.compile("Reprocess|Resolve|Rebuild"))).to_have_count(0)


def test_times_are_shown_in_local_time_on_demand_and_pages_dark(opened: Opened) -> None:
    page = opened("boss", f"/calls/{LIVELY}")
    page.get_by_role("button", name="UTC").click()
    expect(page.get_by_role("button", name="Local time")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Show pages dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_rebuild_is_started_from_the_page_and_seen_to_its_end(opened: Opened) -> None:
    page = opened("operator", "/operations")
    page.get_by_role("button", name="Rebuild the read models").click()
    expect(page.locator("[data-job=done]")).to_contain_text("rebuild", timeout=30_000)
    expect(page.locator("[data-job=done]")).to_contain_text("the read models agree with the log")
