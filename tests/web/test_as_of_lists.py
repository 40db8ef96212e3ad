"""Lists and billing as they were known at an earlier point of the log: pages and the JSON API say what `--as-of` says."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.processes import past_read_models
from api.service import Service
from tests.support import asgi_service as asgi
from tests.support import web_users as users
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus, priced_cdr
from tests.support.page_ledger import catch_up_with

BEFORE = 6  # The position at which both calls were billed, and none was void.


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Service]]:
    """Run a service over two calls, one of which was voided after the other came."""
    path = tmp_path_factory.mktemp("past")
    with opened(f"sqlite:///{path}/ledger.db", clock=asgi.Clock()) as ledger:
        other = {"tag": "other", "src": "18585550002"}
        record(ledger, callstatus(), callstatus("COMPLETED", 1), priced_cdr(2))
        record(ledger, callstatus(**other), callstatus("COMPLETED", 1, **other), priced_cdr(2, **other))
        call = ledger.store.page(0, 1, 1)[0].stream_id
        run("call", "void", call, "--by", "kim", "--reason", "our own test", "--store", ledger.url)
        record(ledger, callstatus(tag="third"))
        catch_up_with(ledger)
    service = asgi.service_at(path)
    with asgi.running(service) as client:
        users.sign_in(client, service, "read", "export", "pii")
        asgi.eventually(lambda: client.get(f"/api/v1/cdrs?asof={BEFORE}").status_code == 200)
        yield client, service


def test_a_list_its_sums_and_its_file_are_those_of_the_command(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    answer = client.get(f"/api/v1/cdrs?sort=position&asof={BEFORE}")
    said = run("export", "cdrs", "--as-of", str(BEFORE), "--format", "json", "--store", service.ledger.url).json()
    assert answer.json()["items"] == said
    assert answer.headers["Ledger-Position"] == str(BEFORE)
    sums = [client.get(f"/api/v1/cdrs/sums{query}").json()["price"] for query in ("", f"?asof={BEFORE}")]
    assert sums == ["3.5", "7"]
    file = run("export", "cdrs", "--as-of", str(BEFORE), "--store", service.ledger.url).out
    assert client.get(f"/api/v1/cdrs.csv?asof={BEFORE}").text == file
    assert client.get(f"/api/v1/accounts/sales?asof={BEFORE}").json()["price"] == "3.5"
    assert client.get(f"/api/v1/statements/sales/2026-10?asof={BEFORE}").json()["due"] == "3.5"


def test_pages_say_as_of_when_they_are_and_keep_it_in_their_links(shop: tuple[TestClient, Service]) -> None:
    client, _ = shop
    page = client.get(f"/calls?asof={BEFORE}&whole=1").text
    assert "As known at 15 Oct 2026" in page
    printed = re.findall('<p class="printed">.*', page)
    assert len(re.findall(f"position {BEFORE} of the log", *printed)) == len(re.findall("position", *printed)) == 1
    assert f"position {BEFORE} of the log" in page
    assert page.count('<a class="call"') == 2
    assert f"/calls?asof={BEFORE}&amp;tag=other" in page
    assert client.get("/calls").text.count('<a class="call"') == 3
    assert 'data-sum="price">' in client.get(f"/fragments/cdrs/sums?asof={BEFORE}").text
    billing = client.get(f"/billing?period=2026-10&asof={BEFORE}").text
    assert 'value="7"' in billing
    assert f"asof={BEFORE}" in billing[billing.index("chart-numbers") :]
    assert f"position {BEFORE} of the log" not in client.get("/billing?period=2026-10").text


def test_accounts_statements_and_exceptions_are_as_of_a_date_too_and_lead_on_to_that_date(
    shop: tuple[TestClient, Service],
) -> None:
    client, _ = shop
    past, now = (client.get(f"/accounts/sales?period=2026-10{asof}").text for asof in (f"&asof={BEFORE}", ""))
    prices = [re.search(r'Price</span><span class="much"><data[^>]* value="([0-9.]+)"', page) for page in (past, now)]
    assert [found and found[1] for found in prices] == ["3.5", "0"]
    assert f"position {BEFORE} of the log" in past
    for link in (
        f"/statements/sales/2026-10?asof={BEFORE}",
        f"/fragments/metrics/sales?months=2026-10&amp;asof={BEFORE}",
        f"/cdrs?period=2026-10&amp;account=sales&amp;asof={BEFORE}",
        f"period=2026-11&amp;asof={BEFORE}",
    ):
        assert link in past, link
    assert "asof=" not in now.replace('name="asof"', "")
    statement = client.get(f"/statements/sales/2026-10?asof={BEFORE}").text
    assert re.search(r'<dt>Due</dt><dd><strong><data[^>]* value="3.5"', statement)
    assert f"/accounts/sales?period=2026-10&amp;asof={BEFORE}" in statement
    assert client.get(f"/statements/sales/2026-10/json?asof={BEFORE}").json()["due"] == "3.5"
    exceptions = client.get(f"/exceptions?asof={BEFORE}").text
    assert (f"position {BEFORE} of the log" in exceptions, "Reason for the chosen ones" in exceptions) == (True, False)
    listed = client.get(f"/cdrs?asof={BEFORE}").text
    assert f'href="/accounts/sales?asof={BEFORE}"' in listed
    assert re.search(rf'href="/calls/[0-9a-f-]+\?at={BEFORE}"', listed)
    assert f"/accounts/sales?asof={BEFORE}" in client.get(f"/billing?period=2026-10&asof={BEFORE}").text
    for path in (
        f"/fragments/metrics/sales?months=2026-10&asof={BEFORE}",
        f"/fragments/largest?account=sales&asof={BEFORE}",
    ):
        assert client.get(path).status_code == 200


def test_what_the_present_read_models_show_is_read_from_them(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    before = list(service.past._pasts)
    for text in ("8", "2999-01-01"):
        assert len(client.get(f"/api/v1/calls?asof={text}").json()["items"]) == 3
    assert list(service.past._pasts) == before


def test_what_is_no_moment_is_said(shop: tuple[TestClient, Service]) -> None:
    client, _ = shop
    assert client.get("/api/v1/calls?asof=yesterday").json()["errors"][0]["parameter"] == "asof"
    assert client.get("/calls?asof=yesterday").status_code == 400


def test_a_position_that_the_log_does_not_have_yet_is_refused_and_a_time_to_come_is_its_last_so_far(
    shop: tuple[TestClient, Service],
) -> None:
    client, _ = shop
    call = client.get("/api/v1/calls").json()["items"][0]["call_id"]
    for path in ("cdrs?asof=", "cdrs/sums?asof=", f"calls/{call}/events?at=", f"calls/{call}/explanation?at="):
        (error,) = client.get(f"/api/v1/{path}999").json()["errors"]
        assert (error["parameter"], error["value"]) == (path.rpartition("?")[2][:-1], "999")
        assert error["detail"] == "got position 999; expected one from 0 to 8, the head of the log, or a time"
    for path in ("/cdrs?asof=", "/billing?asof=", "/accounts/sales?asof=", f"/calls/{call}?at="):
        page = client.get(f"{path}999")
        assert (page.status_code, "got position 999; expected one from 0 to 8" in page.text) == (400, True), path
        assert "so far" in client.get(f"{path}2999-01-01").text, path


def test_while_it_is_made_everybody_is_told_to_come_back(
    shop: tuple[TestClient, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = shop
    monkeypatch.setattr(past_read_models, "WAIT_SECONDS", 0.0)
    program, page = client.get("/api/v1/calls?asof=1"), client.get("/calls?asof=1")
    assert (program.status_code, program.headers["retry-after"]) == (503, "1")
    assert (page.status_code, page.headers["refresh"], "ask again in a moment" in page.text) == (503, "2", True)
    asgi.eventually(lambda: client.get("/api/v1/calls?asof=1").status_code == 200)
    file = service.past._pasts[1].path
    monkeypatch.setattr(past_read_models, "IDLE_SECONDS_MAX", -1.0)
    service.past.let_go()
    assert not file.exists()
    assert service.past._pasts == {}
