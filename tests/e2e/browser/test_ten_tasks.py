"""Ten tasks of an auditor, from the start page: each in at most four clicks, with the answer that the command line gives.

A click is a click, or what is typed into a field and sent with Enter.
"""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from api.web.pages.money import MINUS
from tests.e2e.browser import page_looks as looking
from tests.e2e.browser.site import Site, serving_store
from tests.support import desk_ledger as desk
from tests.support.command import run

pytestmark = pytest.mark.thorough
CLICKS_MAX = 4


class Walk:
    """A user at the start page, who clicks; a click too many fails the task."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.store = site.store
        self.clicks = 0
        page.goto(site.url)

    def click(self, target: str | Locator) -> None:
        """Click a link of this name, or what was found."""
        self._count()
        found = self.page.get_by_role("link", name=target, exact=True) if isinstance(target, str) else target
        found.click()

    def enter(self, field: Locator, text: str) -> None:
        """Type a text into a field and send it."""
        self._count()
        field.fill(text)
        field.press("Enter")

    def search(self, text: str) -> None:
        """Use the box that all pages have."""
        self.enter(self.page.get_by_role("searchbox").first, text)

    def said(self, *arguments: str) -> str:
        """Return what the command says of the same ledger."""
        said = run(*arguments, "--store", self.store)
        assert said.code == 0, said.err
        return said.out

    def told(self, *arguments: str) -> Any:
        """Return what the command says as JSON."""
        return run(*arguments, "--format", "json", "--store", self.store).json()

    def sheet(self, name: str) -> list[list[str]]:
        """Return the texts of the cells of a table, row by row, with single spaces."""
        region = self.page.get_by_role("region", name=name, exact=True)
        expect(region).to_be_visible()
        cells = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        rows: list[list[str]] = region.locator("tbody tr").evaluate_all(cells)
        return [[" ".join(cell.split()) for cell in row] for row in rows]

    def amounts(self, within: Locator) -> list[Decimal]:
        """Return the amounts in a part of the page, to the last digit."""
        values = within.locator("data.amount").evaluate_all("all => all.map(each => each.value)")
        return [Decimal(value) for value in values]

    def amount(self, selector: str) -> Decimal:
        """Return the one amount in a part of the page that may come later than the rest."""
        found = self.page.locator(f"{selector} data")
        expect(found).to_have_count(1)
        return Decimal(found.get_attribute("value") or "")

    def _count(self) -> None:
        self.clicks += 1
        assert self.clicks <= CLICKS_MAX, f"click {self.clicks}; expected at most {CLICKS_MAX}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("desk")
    store = f"sqlite:///{directory}/ledger.db"
    desk.fill_desk(store)
    with serving_store(store, directory) as served:
        yield served


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: Site) -> Iterator[Page]:
    context = looking.context(browser)
    page = context.new_page()
    site.sign_in(page, "boss")
    yield page
    context.close()


@pytest.fixture
def walk(signed_in: Page, site: Site) -> Walk:
    return Walk(signed_in, site)


def test_why_an_amount(walk: Walk) -> None:
    walk.search(desk.CALL[:8])
    said = " ".join(walk.said("explain", desk.CALL).split())
    walk.click(walk.page.locator("details.why summary").last)
    rerated, first = (walk.sheet(f"Steps to the price after position {place}") for place in _priced_at(walk))
    for steps in (first, rerated):
        assert len(steps) > 4
        for step in steps:
            before, found, said = said.partition(" ".join(filter(None, step)).replace(MINUS, "-"))
            assert found, (step, before)
    assert [step[2] for step in rerated if step[0] == "markup"] != [step[2] for step in first if step[0] == "markup"]


def _priced_at(walk: Walk) -> list[int]:
    """Return the positions of the events that priced the call, as the command has them, the latest first."""
    return [int(found) for found in re.findall(r"(?m)^(\d+) ", walk.said("explain", desk.CALL))][::-1]


def test_a_call_as_known_on_a_date(walk: Walk) -> None:
    walk.search(desk.CALL)
    walk.enter(walk.page.get_by_label("As known at"), desk.CLOSED_ON)
    known = walk.told("history", desk.CALL, "--at", f"{desk.CLOSED_ON}T00:00:00Z")["events"]
    now = walk.told("history", desk.CALL)["events"]
    state = walk.page.locator("#state")
    expect(state).to_contain_text(f"After event {len(known)} of {len(now)}")
    price = state.get_by_role("row", name="Price, US cents").get_by_role("cell").locator("data").first.inner_text()
    assert price == known[-1]["price"]["price"] != now[-1]["price"]["price"]


def test_the_calls_whose_price_a_tariff_version_changed(walk: Walk) -> None:
    walk.click("Tariffs and closings")
    walk.click("calls rerated by version 2")
    told = walk.told("export", "operator-events")
    rerated = [each for each in told if (each["kind"], each["about"]) == ("call-rerated", "by version 2")]
    assert len(rerated) == desk.CALLS // 2
    shown = walk.sheet("What operators did")
    assert sorted(int(row[0]) for row in shown) == [each["position"] for each in rerated]
    assert walk.amount("[data-sum=moved]") == sum(Decimal(each["moved"]) for each in rerated)


def test_two_months_compared(walk: Walk) -> None:
    walk.click("Billing")
    now, before = (
        {each["account"]: Decimal(each["price"]) for each in walk.told("export", "billing", "--period", month)}
        for month in (desk.NEXT_MONTH, desk.MONTH)
    )
    rows = walk.page.get_by_role("region", name="Accounts").locator("tbody tr")
    expect(rows).to_have_count(len(now))
    for account, price in now.items():
        row = rows.filter(has=walk.page.get_by_role("link", name=account, exact=True))
        change = Decimal(row.locator("data.change").get_attribute("value") or "")
        assert (price in walk.amounts(row), change) == (True, price - before[account]), account
    assert len(now) == 2


def test_a_number_written_otherwise(walk: Walk) -> None:
    walk.search(desk.WRITTEN)
    shown = [row[1] for row in walk.sheet("Calls")]
    told = walk.told(
        "export", "calls", "--number", desk.WRITTEN_OTHERWISE.replace("858", "1858", 1), "--sort=-opened_at"
    )
    assert shown == [each["call_id"][:8] for each in told]
    assert len(shown) == desk.CALLS


def test_repeats_with_the_money_at_stake(walk: Walk) -> None:
    walk.click("Exceptions")
    tile = walk.page.get_by_role("listitem").filter(has_text="repeated-cdr").get_by_role("link")
    (at_stake,) = walk.amounts(tile)
    walk.click(tile)
    told = [each for each in walk.told("exception", "list") if each["flag"] == "repeated-cdr"]
    rows = walk.page.get_by_role("region", name="Exceptions").locator("tbody tr")
    expect(rows).to_have_count(len(told))
    assert [walk.amounts(row)[0] for row in rows.all()] == [Decimal(each["cost"]) for each in told][::-1]
    assert at_stake == sum(Decimal(each["cost"]) for each in told)


def test_a_statement_against_its_calls(walk: Walk) -> None:
    walk.click("Billing")
    walk.click(walk.page.get_by_role("region", name="Accounts").get_by_role("link", name="shop", exact=True))
    walk.click(walk.page.locator(f'a[href="/statements/shop/{desk.NEXT_MONTH}"]'))
    stated = walk.amount("[data-sum=price]")
    walk.click("its CDRs")
    statement = csv.DictReader(walk.said("statement", "shop", desk.NEXT_MONTH, "--format", "csv").splitlines())
    (total,) = [Decimal(line["price"]) for line in statement if line["kind"] == "total"]
    assert walk.amount("[data-sum=price]") == stated == total


def test_a_download_equal_to_the_page(walk: Walk) -> None:
    walk.click("CDRs")
    walk.enter(walk.page.get_by_label("Tag", exact=True), desk.SALES)
    expect(walk.page).to_have_url(re.compile(f"tag={desk.SALES}"))
    shown = [row[1] for row in walk.sheet("CDRs")]
    with walk.page.expect_download() as begun:
        walk.click("CSV")
    downloaded = begun.value.path().read_bytes().decode()
    assert [row["call_id"][:8] for row in csv.DictReader(downloaded.splitlines())] == shown
    assert downloaded == walk.said("export", "cdrs", "--tag", desk.SALES, "--sort=-cdr_at")
    assert len(shown) == desk.CALLS


def test_who_changed_what(walk: Walk) -> None:
    walk.click("What operators did")
    people = walk.page.locator("section.facet", has=walk.page.get_by_role("heading", name="By"))
    walk.click(people.get_by_role("link", name="eve"))
    expect(walk.page).to_have_url(re.compile("who=eve"))
    told = [each for each in walk.told("export", "operator-events") if each["done_by"] == "eve"]
    shown = [(int(row[0]), row[2], row[5]) for row in walk.sheet("What operators did")]
    assert shown == [(each["position"], each["kind"], each["reason"]) for each in told][::-1]
    assert len(shown) == desk.CALLS // 2 + 1


def test_a_rejected_callback(walk: Walk) -> None:
    walk.click("Quarantine")
    walk.click(walk.page.locator("table tbody tr").first.get_by_role("link").first)
    (newest, *_) = walk.told("quarantine", "list", "--newest")
    told = walk.told("quarantine", "show", str(newest["id"]))
    assert walk.page.locator("pre.raw").inner_text() == told["raw"]
    assert "r=forged" in told["raw"]
