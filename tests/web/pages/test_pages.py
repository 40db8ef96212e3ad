"""Every page, for every role, over a ledger with hostile texts in it; and that their sums are those of the exports."""

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from urllib.parse import quote

import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from api.service import Service
from api.web.auth import audit_log as records
from api.web.pages import billing, lists, statements
from api.web.pages.formatting import account_path
from tests.support import web_users as users
from tests.support.command import run
from tests.support.page_ledger import AS_TEXT, EMAIL, HOSTILE, NUMBER
from tests.support.slow_reading import stop_reading

Shop = tuple[TestClient, Service]

PAGES = [
    "/calls",
    "/calls?whole=1",
    "/calls?cols=call_id,statuses",
    "/calls?state=in-progress",
    "/cdrs",
    "/cdrs?whole=1",
    "/cdrs?period=2026-10&account=sales&whole=1",
    "/cdrs?sort=-price",
    "/postings",
    "/postings?whole=1&kind=adjustment",
    "/voicemails",
    "/channels",
    "/fragments/cdrs/rows?sort=-price",
    "/fragments/operator-events/rows",
    "/fragments/cdrs/sums",
    "/fragments/cdrs/facets",
    "/fragments/calls/facets?flag=repeated-cdr",
    "/billing",
    "/billing?by=month&measure=margin",
    "/billing?from=2026-10-03&through=2026-10-09&measure=calls",
    "/billing?scale=log",
    "/billing/comparison",
    "/billing/comparison?by=tag&sort=calls&against=2026-01",
    "/traffic?measure=share&scale=log&account=sales",
    "/traffic/quality?by=hour&scale=log&from=2026-10-03&through=2026-10-05",
    "/traffic/quality?by=month&tag=sal*",
    "/accounts/sales",
    "/accounts/%3Cscript%3Ealert(1)%3C%2Fscript%3E%22'%26%E2%80%AE%E2%81%A7",
    "/accounts/sales?whole=1",
    "/fragments/metrics/sales?months=2026-10",
    "/fragments/largest?account=sales&period=2026-10",
    "/fragments/billing?by=month&account=sales",
    "/fragments/traffic?account=sales",
    "/fragments/quality?tag=sal*",
    "/statements/sales/2026-10",
    "/fragments/statements/sales/2026-10",
    "/events",
    "/events?whole=1&kind=account-adjusted",
    "/tariffs",
    "/exceptions",
    "/exceptions?flag=repeated-cdr",
    "/quarantine",
    "/quarantine?settled=1",
    "/quarantine/1",
    "/operations",
    "/fragments/operations",
    "/search",
    "/search?q=%3Cscript%3E",
    "/search?q=sales",
]
ROLES = [("read",), ("export",), ("operate",), ("pii",)]


def signed_in(shop: Shop, *roles: str) -> TestClient:
    client, service = shop
    client.cookies.clear()
    users.sign_in(client, service, *roles)
    return client


def sums(page: str, name: str = "price") -> Decimal:
    """Return a sum as a page shows it, read from its text and not from what stands behind it."""
    found = re.search(rf'data-sum="{name}">(.*?)</(?:dd|span)>\s*(?:</div>|,)', page)
    assert found, page
    return Decimal(unescape(re.sub("<[^>]*>", "", found[1])).replace("\u2212", "-"))


def exported(service: Service, model: str, column: str, *arguments: str) -> Decimal:
    said = run("export", model, "--store", service.settings.store, "--format", "ndjson", *arguments)
    assert said.code == 0, said.err
    return sum((Decimal(found) for found in re.findall(rf'"{column}":"(-?[0-9.]+)"', said.out)), Decimal(0))


@pytest.mark.parametrize("roles", ROLES, ids=" ".join)
def test_every_page_is_shown_to_every_role_and_holds_no_script_but_ours(shop: Shop, roles: tuple[str, ...]) -> None:
    client = signed_in(shop, *roles)
    for path in [*PAGES, f"/events/{shop[1].ledger.head()}"]:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        assert "<script>" not in answer.text, path
        assert not re.search(r"\sstyle=|\son[a-z]+=|javascript:", answer.text), path
        assert all('src="/static/' in script for script in re.findall("<script[^>]*>", answer.text)), path


def test_hostile_text_is_there_as_text_and_set_apart(shop: Shop) -> None:
    client = signed_in(shop, "pii")
    for path in (
        "/calls",
        "/cdrs",
        "/voicemails",
        "/channels",
        "/billing",
        "/exceptions",
        "/quarantine",
        "/quarantine/1",
    ):
        page = client.get(path).text
        assert f"<bdi>{AS_TEXT}</bdi>" in page, path
        assert HOSTILE not in page, path


@pytest.mark.parametrize("path", PAGES)
def test_only_who_may_see_numbers_and_addresses_sees_them_whole(shop: Shop, path: str) -> None:
    masked = signed_in(shop, "read", "export", "operate").get(path).text
    assert NUMBER not in masked
    assert EMAIL not in masked
    assert ">1234<" not in masked
    if path in ("/calls", "/cdrs"):
        assert NUMBER in signed_in(shop, "pii").get(path).text


def test_a_number_in_place_of_a_status_is_masked_wherever_the_status_is_shown(shop: Shop) -> None:
    found = "/api/v1/calls?flag=unrecognised-status"
    (call,) = signed_in(shop, "pii").get(found).json()["items"]
    page, shown = f"/calls/{call['call_id']}", f"/api/v1/calls/{call['call_id']}"
    for path in (found, found.replace("calls", "calls.csv"), page, shown, f"{shown}/events"):
        assert NUMBER in signed_in(shop, "pii", "export").get(path).text, path
        masked = signed_in(shop, "read", "export", "operate").get(path)
        assert (masked.status_code, "185••••••01" in masked.text, NUMBER in masked.text) == (200, True, False), path


def test_the_download_of_exceptions_is_in_the_order_of_its_page(shop: Shop) -> None:
    client = signed_in(shop, "export", "operate")
    page = client.get("/exceptions").text
    (link,) = re.findall(r'href="(/api/v1/exceptions\.csv[^"]*)"', page)
    rows = [line.split(",")[:2] for line in client.get(link).text.splitlines()[1:]]
    assert [f"{flag}:{position}" for flag, position in rows] == re.findall(r'"exception" value="([^"]+)"', page) != []


def test_a_page_says_from_when_to_when_it_selects_and_at_which_time_a_call_is_shown(shop: Shop) -> None:
    client = signed_in(shop, "read")
    span = "3 Oct 2026 00:00 to 9 Oct 2026 24:00, UTC"
    for path in ("/calls", "/cdrs", "/billing", "/exceptions"):
        assert span in client.get(f"{path}?from=2026-10-03&through=2026-10-09").text, path
        assert "let go" in client.get(f"{path}?from=2026-10-03&to=2026-10-10").text, path
    call = re.search('href="(/calls/[0-9a-f-]{36})"', client.get("/calls?sort=opened_at").text)
    assert call
    assert (
        "At 2 Oct 2026 00:00, UTC, nothing of this call was recorded yet" in client.get(f"{call[1]}?at=2026-10-02").text
    )
    assert "As known at 1 Jan 2100 00:00, UTC" in client.get(f"{call[1]}?at=2100-01").text
    assert client.get(f"{call[1]}?at=soon").status_code == 400


def test_only_who_may_export_is_offered_downloads_and_only_operators_buttons(shop: Shop) -> None:
    reader = signed_in(shop, "read")
    assert "/api/v1/cdrs.csv" not in reader.get("/cdrs").text
    assert all(
        'method="post" action="/sign-out"' in form
        for form in re.findall('<form method="post"[^>]*>', reader.get("/operations").text)
    )
    assert "/api/v1/cdrs.csv?tag=sales" in signed_in(shop, "export").get("/cdrs?tag=sales").text
    assert 'action="/operations/jobs"' in signed_in(shop, "operate").get("/operations").text


@pytest.mark.parametrize("column", ["price", "cost"])
def test_the_sum_of_the_cdrs_is_that_of_their_export(shop: Shop, column: str) -> None:
    page = signed_in(shop, "read").get("/fragments/cdrs/sums?tag=support").text
    shown = re.search(rf"<dt>{column.capitalize()}</dt><dd[^>]*>(.*?)</dd>", page)
    assert shown
    assert Decimal(re.sub("<[^>]*>", "", shown[1])) == exported(shop[1], "cdrs", column, "--tag", "support")


@pytest.mark.parametrize(
    "path",
    [
        "/cdrs?account=sales&day=2026-10-01..2026-10-09",
        "/cdrs?without=flag&sort=-price",
        "/cdrs?number=18585550003&disposition=BUSY",
        "/calls?state=in-progress",
        "/voicemails",
        "/channels",
        "/exceptions?flag=repeated-cdr",
        "/billing",
        "/billing?by=month&account=support",
        "/billing?from=2026-10-03&to=2026-10-09",
        "/accounts/sales?from=2026-10-03&to=2026-10-09",
    ],
)
def test_every_download_gives_just_the_rows_that_the_page_is_about(shop: Shop, path: str) -> None:
    client = signed_in(shop, "export")
    page = client.get(path).text
    links = [unescape(link) for link in re.findall(r'<a href="([^"]*)" download', page)]
    assert [link.partition("?")[0].rpartition(".")[2] for link in links] == ["csv", "json", "parquet"]
    answers = [client.get(link) for link in links]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    rows = list(csv.DictReader(answers[0].text.splitlines()))
    assert len(rows) == len(answers[1].json()) == parquet.read_table(io.BytesIO(answers[2].content)).num_rows
    assert rows
    if path.startswith("/cdrs"):
        summed = client.get(f"/fragments/cdrs/sums?{path.partition('?')[2]}").text
        name = "cdrs-price" if "cdrs-price" in summed else "price"
        assert sums(summed, name) == sum(Decimal(row["price"]) for row in rows)


def cells(page: str) -> Iterator[tuple[str, str]]:
    """Yield the amounts in a page's tables that lead to CDRs, and where."""
    for address, value in re.findall(r'<a href="(/cdrs[^"]*)"><data class="amount[^"]*" value="([^"]*)">', page):
        yield unescape(address), value


@pytest.mark.parametrize(
    "path",
    [
        "/billing",
        "/billing?by=month",
        "/billing?period=2026-10",
        "/accounts/sales",
        "/billing?from=2026-10-03&to=2026-10-09",
    ],
)
def test_what_a_cell_of_billing_leads_to_comes_to_the_same_to_the_last_digit(shop: Shop, path: str) -> None:
    client = signed_in(shop, "read")
    found = dict(cells(client.get(path).text))
    assert found
    for address, value in found.items():
        query = address.partition("?")[2]
        assert sums(client.get(f"/fragments/cdrs/sums?{query}").text) == Decimal(value), address


def test_rows_that_must_be_read_one_by_one_are_summed_up_on_request_where_they_are_many(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(shop, "read", "pii")
    exact = sums(client.get("/fragments/cdrs/sums?number=1858*").text)
    monkeypatch.setattr(lists, "SUMMED_ROWS_MAX", 1)
    part = client.get("/fragments/cdrs/sums?number=1858*").text
    assert "More than" in part
    (whole,) = re.findall(r'<a href="([^"]+)">Sum up', part)
    assert sums(client.get(unescape(whole)).text) == exact
    assert "More than" not in client.get("/fragments/cdrs/sums?tag=acme").text


def test_rows_that_take_long_to_find_follow_the_page_and_are_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(shop, "read", "pii")
    address = "/cdrs?from=2026-10-01&through=2026-10-31&sort=price&cols=call_id,price"
    monkeypatch.setattr(lists, "ROWS", 2)
    at_once = _pages(client, address)
    stop_reading(monkeypatch)
    assert "of the selected rows" not in client.get(address).text
    later = _pages(client, address)
    assert at_once == later
    assert len(later) > 2


def _pages(client: TestClient, address: str) -> list[str]:
    """Return the table of each page from an address on, fetched as a script does, which is also what the link there shows."""
    tables = []
    while address:
        page = client.get(address).text
        if parts := re.findall(
            r'data-fragment="([^"]*/rows[^"]*)"><p class="empty"><a href="([^"]*)">Show the rows</a>', page
        ):
            ((part, link),) = parts
            page, linked = client.get(unescape(part)).text, client.get(unescape(link)).text
            assert _table(page) == _table(linked)
        tables.append(_table(page))
        following = re.search('href="([^"]*)" rel="next"', page)
        address = unescape(following[1]) if following else ""
    return tables


def _table(page: str) -> str:
    (found,) = re.findall(r"of the selected rows</caption>.*?(<tbody>.*?</tbody>)", page, re.DOTALL)
    return str(found)


def test_what_was_posted_beside_the_cdrs_is_in_the_sum_of_an_accounts_month(shop: Shop) -> None:
    client = signed_in(shop, "read")
    page = client.get("/cdrs?account=sales&period=2026-10&whole=1").text
    assert "adjustment" in page
    assert sums(page) == exported(shop[1], "billing", "price", "--account", "sales", "--period", "2026-10")
    assert sums(page) - sums(page, "cdrs-price") == Decimal("-1.500001")


def test_a_statement_comes_to_what_billing_says_and_so_do_its_files(shop: Shop) -> None:
    client = signed_in(shop, "export")
    billed = exported(shop[1], "billing", "price", "--account", "sales", "--period", "2026-10")
    assert re.search(
        rf'data-sum="price"><data class="amount" value="{billed}"', client.get("/statements/sales/2026-10").text
    )
    assert Decimal(client.get("/statements/sales/2026-10/json").json()["due"]) == billed
    assert str(billed) in client.get("/statements/sales/2026-10/csv").text
    assert client.get("/statements/sales/2026-10/pfd").status_code == 404


def test_an_account_with_slashes_in_its_name_has_its_statement_and_its_files(shop: Shop) -> None:
    assert "/" in HOSTILE
    client, address = signed_in(shop, "read", "export"), f"/statements/{quote(HOSTILE, safe='')}/2026-10"
    due = Decimal(client.get(f"{address}/json").json()["due"])
    assert f'<data class="amount" value="{due}"' in client.get(address).text
    assert client.get(f"/fragments{address}").status_code == client.get(f"{address}/csv").status_code == 200
    assert client.get("/statements/sales/October").status_code == 400


def test_the_lines_of_a_statement_of_many_calls_follow_its_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(shop, "read")
    address = "/statements/sales/2026-10"
    (lines,) = re.findall(r"<tbody>.*?</dl>", client.get(address).text, re.DOTALL)
    monkeypatch.setattr(statements, "SUMMED_BY_PAGE_MAX", 0)
    page = client.get(address).text
    assert "Draft" in page
    assert "<tbody>" not in page
    (fragment,) = re.findall(r'data-fragment="([^"]+)"', page)
    assert lines in client.get(fragment).text
    assert lines in client.get(f"{address}?whole=1").text


def test_pages_of_rows_go_on_behind_each_other_and_show_every_row_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.web.pages.lists.ROWS", 7)
    client, seen = signed_in(shop, "read"), []
    path = "/cdrs?sort=price&disposition=ANSWERED"
    while path:
        page = client.get(path).text
        seen += re.findall(r'class="call" href="/calls/([0-9a-f-]{36})', page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        path = unescape(following[1]) if following else ""
    assert len(seen) == len(set(seen)) == 30


def test_accounts_are_shown_page_by_page_and_every_page_is_printed_with_what_it_is_about(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(shop, "read")
    monkeypatch.setattr("api.web.pages.billing.ROWS", 1)
    pages = [client.get(f"/billing?period=2026-10&page={page}").text for page in (1, 2)]
    names = [re.findall('<th scope="row"><a href="(/accounts/[^"]*)">', page) for page in pages]
    assert [len(each) for each in names] == [1, 1]
    assert names[0] != names[1]
    assert 'rel="next"' in pages[0]
    assert "page=1" in pages[1]
    assert client.get("/billing?page=0").status_code == 400
    printed = re.search('<p class="printed">(.*)</p>', client.get("/cdrs?account=sales&period=2026-10").text)
    assert printed
    told = " ".join(re.sub("<[^>]*>", " ", printed[1]).split())
    assert f"/cdrs · account sales · period 2026-10 · ledger {shop[1].ledger.id}, position" in told


@pytest.mark.parametrize(
    ("span", "most"),
    [
        ("period=2026-10", "SUMMED_BY_DAY_MAX"),
        ("", "SEARCHED_BY_DAY_MAX"),
        ("from=2026-10-03&through=2026-10-09&measure=calls&scale=log", "SUMMED_OF_DAYS_MAX"),
        ("by=month&asof=2999-01", "SUMMED_BY_MONTH_MAX"),
    ],
)
def test_many_accounts_are_summed_up_once_the_page_of_billing_is_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, span: str, most: str
) -> None:
    client = signed_in(shop, "read")
    expected = [*cells(client.get(f"/billing?{span}").text)]
    monkeypatch.setattr(billing, most, 0)
    page = client.get(f"/billing?{span}").text
    assert (len(expected) > 1, [*cells(page)]) == (True, [])
    (fragment,) = re.findall(r'data-fragment="([^"]+)"', page)
    (whole,) = re.findall(r'<a href="([^"]+)">Sum up all accounts', page)
    for path in (fragment, whole):
        assert [*cells(client.get(unescape(path)).text)] == expected
    assert [*cells(client.get(f"/billing?{span}&account=sales").text)], "one account is summed up at once"


def test_filters_that_make_no_sense_are_named_and_nothing_is_shown(shop: Shop) -> None:
    client = signed_in(shop, "read")
    for path in ("/cdrs?from=yesterday", "/billing?period=October", "/exceptions?flag=odd", "/cdrs?day=1"):
        answer = client.get(path)
        assert answer.status_code == 400, path
        assert "expected" in answer.text, path
        assert "<tbody>" not in answer.text, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cdrs?cursor=nonsense", 400),
        ("/cdrs?sort=src", 400),
        ("/quarantine/999", 404),
        ("/quarantine?before=x", 400),
        ("/accounts/nobody", 404),
        ("/events/99999", 404),
        ("/events/0", 404),
        ("/billing?by=year", 400),
        ("/billing?by=day&from=2020-01-01&to=2026-01-01", 400),
        ("/billing?period=0001-01", 400),
        ("/billing?from=9999-12-31", 400),
        ("/voicemails?to=0001-01-01", 400),
        ("/traffic?to=9999-12-31", 400),
        ("/traffic/quality?from=9999-12", 400),
        ("/calls?through=9999-12-31", 400),
        ("/fragments/cdrs/nothing", 400),
        ("/billing?measure=luck", 400),
        ("/billing?scale=odd", 400),
        ("/billing/comparison?against=October", 400),
        ("/billing/comparison?period=0001-01", 400),
        ("/traffic?from=2020-01-01", 400),
        ("/traffic?measure=luck", 400),
        ("/traffic/quality?by=hour&from=2026-01-01", 400),
        ("/traffic/quality?by=week", 400),
        ("/traffic/quality?period=2026-10&from=2026-12-01", 400),
        ("/statements/nobody/2026-10", 404),
        ("/statements/sales/october", 400),
    ],
)
def test_what_cannot_be_shown_is_said_on_a_page(shop: Shop, path: str, status: int) -> None:
    answer = signed_in(shop, "read").get(path)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text


def test_a_search_that_opens_its_only_hit_is_one_line_of_the_audit_log_that_names_the_page(shop: Shop) -> None:
    client, store = signed_in(shop, "read"), shop[1].authenticator.store
    before = len(records.audit_page(store, limit=1000))
    page = client.get("/search", params={"q": "1"})
    assert page.url.path.startswith("/calls/")
    found = records.audit_page(store, limit=1000)
    assert (len(found) - before, found[0].path, found[0].query) == (1, page.url.path, page.url.query.decode())
    client.get(page.url)
    assert len(records.audit_page(store, limit=1000)) - before == 2


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("1", "/calls/"),
        ("support", "/search"),
        ("+1 858 555 0003", "/calls?number=18585550003"),
        ("18585550003", "/calls?number=18585550003"),
        ("1\u202f0", "/calls/"),
        ("support*", "/calls?tag=support"),
    ],
)
def test_search_leads_to_what_can_only_mean_one_thing(shop: Shop, query: str, where: str) -> None:
    client = signed_in(shop, "read")
    answer = client.get("/search", params={"q": query}, follow_redirects=False)
    if where == "/search":
        assert answer.status_code == 200
        assert "/accounts/support" in answer.text
        assert "/calls?tag=support" in answer.text
    else:
        assert answer.headers["location"].startswith(where)


@pytest.mark.parametrize("query", ["(858) 555-0003", "858.555.0003", "*0003", "0003"])
def test_search_finds_a_number_by_its_last_digits_however_they_are_written(shop: Shop, query: str) -> None:
    answer = signed_in(shop, "pii").get("/search", params={"q": query})
    assert "number=18585550003" in f"{answer.url} {answer.text}"
    assert "number=18585550003" not in str(signed_in(shop, "read").get("/search", params={"q": query}).text)


def test_an_account_is_found_with_a_slash_too_many(shop: Shop) -> None:
    answer = signed_in(shop, "read").get("/accounts/sales/?path=x&period=2026-10", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/accounts/sales?path=x&period=2026-10")


def test_search_finds_a_call_by_how_its_id_begins(shop: Shop) -> None:
    client = signed_in(shop, "read")
    found = re.search(r"/calls/([0-9a-f-]{36})", client.get("/cdrs").text)
    assert found
    answer = client.get("/search", params={"q": found[1][:8]}, follow_redirects=False)
    assert answer.headers["location"] == f"/calls/{found[1]}"


def test_a_list_shows_the_columns_that_its_address_names_and_its_links_keep_them(shop: Shop) -> None:
    client = signed_in(shop, "read", "export")
    page = client.get("/cdrs?cols=call_id&cols=tariff,price&sort=-cost&tag=sal*").text
    assert re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', page) == ["Call", "Tariff", "Price"]
    assert 'href="/cdrs?tag=sal%2A&amp;sort=-price&amp;cols=call_id%2Ctariff%2Cprice"' in page
    assert 'href="/api/v1/cdrs.csv?tag=sal%2A&amp;sort=-cost&amp;cols=call_id%2Ctariff%2Cprice"' in page
    refused = client.get("/cdrs?cols=price,prize")
    assert refused.status_code == 400
    assert "cdrs have no column" in refused.text


def test_a_download_has_the_rows_in_the_order_of_the_page(shop: Shop) -> None:
    client = signed_in(shop, "pii", "export")
    link = re.search(r'href="(/api/v1/cdrs\.csv[^"]*)"', client.get("/cdrs").text)
    assert link
    rows = list(csv.DictReader(io.StringIO(client.get(unescape(link[1])).text)))
    assert [row["cdr_at"] for row in rows] == sorted((row["cdr_at"] for row in rows), reverse=True)
    assert len({row["cdr_at"] for row in rows}) > 1


def test_what_a_total_counts_besides_cdrs_is_listed_whole_and_downloaded_with_them(shop: Shop) -> None:
    client, service = signed_in(shop, "pii", "export"), shop[1]
    page = client.get("/cdrs?whole=1&period=2026-10&account=sales").text
    assert "posted in addition" in page
    link = re.search(r'href="(/api/v1/entries\.csv[^"]*)"', page)
    assert link
    rows = list(csv.DictReader(io.StringIO(client.get(unescape(link[1])).text)))
    assert sum(Decimal(row["price"]) for row in rows) == sums(page)
    assert sums(page) == exported(service, "entries", "price", "--period", "2026-10", "--account", "sales")
    listed = client.get("/postings?period=2026-10&account=sales").text
    assert listed.count("<tr>") == 1 + sum(row["kind"] != "cdr" for row in rows)


def test_a_part_of_a_number_is_searched_by_those_alone_who_see_numbers(shop: Shop) -> None:
    assert signed_in(shop, "pii").get(f"/cdrs?number=*{NUMBER[-4:]}").status_code == 200
    refused = signed_in(shop, "read").get(f"/cdrs?number=*{NUMBER[-4:]}")
    assert refused.status_code == 400
    assert "needs the role pii" in refused.text


def test_the_download_of_a_months_billing_is_in_the_order_of_its_page(shop: Shop) -> None:
    client = signed_in(shop, "export")
    page = client.get("/billing?period=2026-10").text
    (link,) = re.findall(r'href="(/api/v1/billing\.csv[^"]*)"', page)
    rows = list(csv.DictReader(io.StringIO(client.get(unescape(link)).text)))
    shown = re.findall('<th scope="row"><a href="([^"]*)">', page)
    assert [unescape(path) for path in shown] == [account_path(row["account"]) for row in rows]
    assert len(shown) > 2
