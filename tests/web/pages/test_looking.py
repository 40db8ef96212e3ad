"""Looking rather than reading: heat map, ASR and ACD, months beside each other; and amounts in dollars for those who chose them."""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from api.web.pages import account, traffic
from api.web.pages.chart_scale import LINEAR, LOG, height_on, ticks_on
from api.web.pages.money import CENTS, DOLLARS, plain, written
from api.web.pages.rendering import environment
from projections.queries.calls_looked_at import FILTERED, calls_looked_at
from projections.queries.selection import Selection
from tests.support import asgi_service as asgi
from tests.support import web_users as users
from tests.support.ledgers import record
from tests.support.notices import callstatus
from tests.support.slow_reading import stop_reading

Shop = tuple[TestClient, Service]
KEYED = "01234567890123456789"


@pytest.fixture
def client(shop: Shop) -> Iterator[TestClient]:
    """Return a client that is signed in, and forgets what it chose."""
    client, service = shop
    client.cookies.clear()
    users.sign_in(client, service, "export")
    yield client
    client.cookies.clear()


def cells(page: str, name: str) -> list[str]:
    """Return the texts of a table's cells of a class."""
    return [
        re.sub("<[^>]*>", "", unescape(cell)).strip()
        for cell in re.findall(rf'<td class="{name}[^"]*"[^>]*>(.*?)</td>', page)
    ]


def test_the_heat_map_says_in_words_what_the_api_counts(client: TestClient) -> None:
    found = client.get("/api/v1/traffic/week?period=2026-10&account=sales").json()
    page = client.get("/traffic?period=2026-10&account=sales").text
    by_hour = sorted(found["items"], key=lambda each: (each["hour"], each["weekday"]))
    assert cells(page, "heat-") == [str(each["calls"]) for each in by_hour]
    total = sum(each["calls"] for each in by_hour)
    assert total == client.get("/api/v1/calls/sums?period=2026-10&account=sales").json()["rows"] > 0
    assert f'title="Thursday 12:00: {by_hour[12 * 7 + 3]["calls"]} calls in 5 such hours' in page
    assert (found["from"], found["to"]) == ("2026-10-01T00:00:00.000000Z", "2026-11-01T00:00:00.000000Z")
    assert client.get("/traffic?period=2026-10&scale=log&account=sales").text.count('<td class="heat-0"') == page.count(
        '<td class="heat-0"'
    )


def test_each_step_of_asr_and_acd_leads_to_its_cdrs_and_is_that_of_the_api(client: TestClient) -> None:
    query = "from=2026-10-01&through=2026-10-20&tag=support"
    found = client.get(f"/api/v1/traffic/quality?{query}").json()
    page = client.get(f"/traffic/quality?{query}").text
    links = [unescape(link) for link in re.findall(r'<td><a href="(/cdrs[^"]*)">CDRs', page)]
    counted = [each for each in found["items"] if each["attempts"]]
    assert len(links) == len(counted) > 10
    for link, step in zip(links, counted, strict=True):
        rows = client.get(link.replace("/cdrs", "/api/v1/cdrs/sums")).json()
        assert (rows["rows"], rows["dest_duration"]) == (step["attempts"], step["dest_seconds"])
    total = found["total"]
    assert sum(step["attempts"] for step in counted) == total["attempts"]
    assert f'<data value="{total["asr"]}">' in page
    assert f'<data value="{total["acd"]}">{Decimal(total["acd"]):.2f} s</data>' in page
    drawn = len(found["items"]) + len(counted) + sum(step["acd"] is not None for step in counted)
    assert page.count("<title>") == 1 + drawn  # The page's own, and what each bar and point says.


@pytest.mark.parametrize(("path", "name"), [("/traffic", "heat-"), ("/traffic/quality", "number")])
def test_many_calls_are_counted_once_the_page_is_shown_and_very_many_on_request(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str, name: str
) -> None:
    address = f"{path}?period=2026-10"
    expected = cells(client.get(address).text, name)
    stop_reading(monkeypatch)
    page = client.get(address).text
    assert cells(page, name) == []
    (fragment,) = re.findall(r'data-fragment="([^"]+)"', page)
    assert cells(client.get(unescape(fragment)).text, name) == expected
    for most in ("OF_WEEK", "OF_QUALITY"):
        monkeypatch.setattr(traffic, most, 0)
    (whole,) = re.findall(r'very many calls.*<a href="([^"]+)"', client.get(unescape(fragment)).text)
    assert cells(client.get(unescape(whole)).text, name) == expected


def test_months_are_counted_unasked_whatever_they_have_where_a_rollup_has_them_whole(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "OF_QUALITY", 0)
    fragment = "/fragments/quality?by=month&"
    assert cells(client.get(f"{fragment}from=2026-09&through=2026-10").text, "number")
    for part in ("from=2026-09&through=2026-10-20", "from=2026-09-02&through=2026-10"):
        assert "very many calls" in client.get(fragment + part).text


def test_a_page_about_traffic_looks_at_the_calls_that_an_index_leaves_to_be_looked_at() -> None:
    plain, by = 1_000_000, ("disposition",)
    assert calls_looked_at(Selection(), plain, by) == calls_looked_at(Selection(disposition="BUSY"), plain, by) == plain
    assert calls_looked_at(Selection(account="a", disposition="BUSY"), plain, by) == FILTERED
    assert calls_looked_at(Selection(tag="a"), plain, by) == FILTERED


@pytest.mark.parametrize("by", ["account", "tag"])
def test_months_beside_each_other_lead_to_their_entries_and_are_those_of_the_api(client: TestClient, by: str) -> None:
    path = f"billing/comparison?period=2026-10&against=2026-09&by={by}"
    found = client.get(f"/api/v1/{path}&limit=1").json()
    assert (found["period"], found["against"], len(found["items"])) == ("2026-10", "2026-09", 1)
    items = [*found["items"], *client.get(f"/api/v1/{path}&cursor={found['next']}").json()["items"]]
    page = client.get(f"/{path}").text
    links = [unescape(link) for link in re.findall(r'<th scope="row"><a href="(/cdrs\?period=2026-10[^"]*)"', page)]
    prices = {item["after"]["price"] for item in items} | {found["total"]["after"]["price"]}
    assert len(links) == len(items) + 1
    shown = {_price_of(client.get(link.replace("/cdrs", "/fragments/cdrs/sums")).text) for link in links}
    assert shown == {Decimal(price) for price in prices}
    assert all(item["percent"]["price"] is None and item["change"]["price"] == item["after"]["price"] for item in items)


def test_months_beside_each_other_are_a_file_in_the_order_of_the_page(client: TestClient) -> None:
    page = client.get("/billing/comparison?period=2026-10&against=2026-09&sort=calls").text
    (link,) = re.findall(r'<a href="([^"]+)" download>CSV', page)
    rows = [*csv.DictReader(client.get(unescape(link)).text.splitlines())]
    items = client.get("/api/v1/billing/comparison?period=2026-10&against=2026-09").json()["items"]
    items.sort(key=lambda item: (-abs(item["change"]["calls"]), item["name"]))
    assert len(rows) > 1
    for row, item in zip(rows, items, strict=True):
        assert row.pop("name") == item["name"]
        assert row == {
            f"{measure}_{part}": "" if item[part][measure] is None else str(item[part][measure])
            for measure in item["change"]
            for part in ("before", "after", "change", "percent")
        }


def _price_of(sums: str) -> Decimal:
    found = re.search(r'data-sum="price"><data class="[^"]*" value="([^"]*)"', sums)
    assert found
    return Decimal(found[1])


def amounts(page: str) -> list[tuple[Decimal, str]]:
    """Return the amounts of a page: their value, and what stands there."""
    found = re.findall(r'<data class="amount[^"]*" value="([^"]*)">(.*?)</data>', page)
    return [(Decimal(value), unescape(re.sub("<[^>]*>", "", text))) for value, text in found]


def test_amounts_are_dollars_for_those_who_chose_them_and_the_api_stays_in_cents(client: TestClient) -> None:
    path = "/cdrs?account=sales&period=2026-10&whole=1&cols=price&cols=cost"
    cents, file = client.get(path).text, client.get("/api/v1/cdrs/sums?account=sales").text
    assert "Amounts are US cents, exact." in cents
    chosen = client.get("/display", params={"unit": "dollars", "back": path}, follow_redirects=True)
    assert "Amounts are US dollars, exact, unless US cents are named;" in chosen.text
    money = [each for each in zip(amounts(cents), amounts(chosen.text), strict=True) if each[0] != each[1]]
    assert len(money) > 20
    for (value, _), (dollars, text) in money:
        assert dollars == value / 100
        assert re.fullmatch(r"\u2212?\$[0-9]{1,3}(,[0-9]{3})*\.[0-9]{2,8}", text), text
    assert client.get("/api/v1/cdrs/sums?account=sales").text == file
    assert client.get("/display?theme=dark&back=/cdrs", follow_redirects=True).text.count("US dollars, exact") == 1
    assert "US cents, exact." in client.get("/display?unit=cents&back=/cdrs", follow_redirects=True).text


def test_very_many_calls_of_an_account_are_counted_on_request(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/accounts/sales?period=2026-10"
    assert 'data-fragment="/fragments/metrics/sales?months=2026-10"' in client.get(path).text
    monkeypatch.setattr(account, "COUNTED_UNASKED_MAX", 0)
    page = client.get(path).text
    assert "/fragments/metrics" not in page
    found = re.search(r'<a href="([^"]+)">Count its (?:<[^>]+>|[0-9])+ calls</a>', page)
    assert found
    assert "<dt>Attempts</dt>" in client.get(found[1].replace("&amp;", "&")).text


def test_what_decided_on_a_price_and_what_a_month_comes_to_are_dollars_too(client: TestClient) -> None:
    call = client.get("/api/v1/cdrs?account=sales&limit=1").json()["items"][0]["call_id"]
    for path in (f"/calls/{call}", "/accounts/sales?period=2026-10&whole=1", "/statements/sales/2026-10"):
        client.get("/display?unit=cents", follow_redirects=False)
        cents = amounts(client.get(path).text)
        client.get("/display?unit=dollars", follow_redirects=False)
        page = client.get(path).text
        moved = [each for each in zip(cents, amounts(page), strict=True) if each[0] != each[1]]
        assert all(dollars == value / 100 for (value, _), (dollars, _) in moved)
        assert len(moved) > 3
        assert not re.search(r"[0-9] US cents", re.sub("<[^>]*>", "", page))


@pytest.mark.parametrize(
    ("millionths", "shown", "value"),
    [
        (0, "$0.00", "0.00"),
        (1, "$0.00000001", "0.00000001"),
        (150_000_000, "$1.50", "1.50"),
        (123_456_789_012_345_678, "$1,234,567,890.12345678", "1234567890.12345678"),
    ],
)
def test_dollars_are_exact_and_have_separators(millionths: int, shown: str, value: str) -> None:
    assert "".join(written(millionths, DOLLARS)) == shown
    assert plain(-millionths, DOLLARS) == (f"-{value}" if millionths else value)
    assert Decimal(value) * 100 == Decimal(plain(millionths, CENTS))


@pytest.mark.parametrize("cents", ["+0.5", "+29.442607", "+123456.7", "-29.442607"])
def test_a_difference_of_an_explanation_keeps_its_sign_in_either_unit(cents: str) -> None:
    shown = environment().from_string("{{ cents | decimal_money }}")
    in_cents, in_dollars = (
        amounts(shown.render(cents=cents, shown=SimpleNamespace(unit=unit)))[0] for unit in (CENTS, DOLLARS)
    )
    assert in_cents[1] == cents.replace("-", "\u2212")
    assert in_dollars[0] * 100 == in_cents[0] == Decimal(cents)
    assert in_dollars[1][:2] == cents[0].replace("-", "\u2212") + "$"


def test_on_a_logarithmic_scale_small_values_are_seen_beside_a_large_one() -> None:
    assert height_on(LINEAR, 10, 100_000) < 0.001
    assert height_on(LOG, 10, 100_000) > 0.2
    assert (height_on(LOG, 0, 9), height_on(LOG, 9, 9), height_on(LINEAR, 0, 0)) == (0, 1, 0)
    assert ticks_on(LOG, 345) == [0, 1, 10, 100, 1000]
    assert ticks_on(LINEAR, 345) == [0, 100, 200, 300, 400]
    assert ticks_on(LINEAR, 0) == [0, 1]


def test_a_logarithmic_chart_is_asked_for_by_a_link_and_keeps_the_table(client: TestClient) -> None:
    linear = client.get("/billing?period=2026-10").text
    link = re.search(r'href="([^"]*scale=log)"', linear)
    assert link
    page = client.get(unescape(link[1])).text
    assert 'data-scale="log"' in page
    assert amounts(page) == amounts(linear)


def test_a_long_run_of_keyed_digits_is_collapsed_and_all_of_it_is_there(shop: Shop, client: TestClient) -> None:
    service = shop[1]
    line = {"tag": "keys", "src": "18585557777"}
    pressed = (callstatus("USERDTMFINPUT", 1 + place, p=digit, r=place, **line) for place, digit in enumerate(KEYED))
    record(service.ledger, callstatus(**line), *pressed, callstatus("COMPLETED", 30, **line))
    asgi.eventually(lambda: client.get("/health").json()["read_models"]["lag"] == 0)
    users.sign_in(client, service, "pii")
    found: list[dict[str, Any]] = client.get("/api/v1/calls?tag=keys").json()["items"]
    assert found[0]["digits"] == KEYED
    page = client.get(f"/calls/{found[0]['call_id']}").text
    assert "Keyed 20 times" in page
    assert page.count("data-event=") == 22
    assert f"</span></summary><bdi>{KEYED}</bdi></details>" in page
