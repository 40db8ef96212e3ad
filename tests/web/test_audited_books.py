"""What an auditor asks of the books, on pages, of the API and by command: all three answer alike, on each store."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain.events.streams import call_id
from projections.queries.search_matches import moved_calls_beginning_with
from tests.conftest import SQLITE_FIRST
from tests.support import asgi_service as asgi
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import KEY, SRC, START, TAG, callstatus, cdr
from tests.support.page_ledger import catch_up_with
from tests.support.web_users import bearer

CALL = call_id((TAG, SRC), 1)
FIRST = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 0.6\nincrement = "30/6"\n'
SECOND = FIRST.replace("0.6", "0.7") + 'rounding = { mode = "up", places = 0 }\n'
WHY = "as agreed with 18585559999"


def fill(url: str) -> None:
    """A tariff at 1, a call with its CDR at 3, a new tariff at 4, its month closed at 5, the call rated anew at 6, an adjustment at 7."""
    with opened(url, clock=lambda: START) as ledger:
        with ledger.operator_session("ann", "the first prices") as session:
            session.publish_tariff(FIRST)
        record(ledger, callstatus("SRCANSWERED"), cdr(1, srccharge="1.5", destduration="32"))
        with ledger.operator_session("ann", "the new prices") as session:
            session.publish_tariff(SECOND)
        with ledger.operator_session("ann", "the month is over") as session:
            session.close_month("2026-10", ["1 call in progress", "2 exceptions"])
        with ledger.operator_session("bob", WHY) as session:
            session.rerate_call(CALL, 2)
            adjusted = session.adjust_account("acme", -1_500_000, "2026-10")
        with ledger.operator_session("eve", "wrong account") as session:
            session.undo(adjusted)
        catch_up_with(ledger)


@pytest.fixture(scope="module", params=SQLITE_FIRST)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    if request.param == "sqlite":
        yield from _running(f"sqlite:///{tmp_path_factory.mktemp('books')}/ledger.db")
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield from _running(url)


def _running(url: str) -> Iterator[Service]:
    fill(url)
    service = asgi.service_at(Path(), TRINGLEDGER_STORE=url, TRINGME_PRIVATE_KEY=KEY)
    with asgi.running(service):
        yield service


@pytest.fixture
def client(service: Service) -> TestClient:
    client = TestClient(service.app, raise_server_exceptions=False)
    client.headers.update(bearer(service, "read", "export", "pii"))
    return client


@pytest.fixture
def reader(service: Service) -> TestClient:
    client = TestClient(service.app, raise_server_exceptions=False)
    client.headers.update(bearer(service, "read"))
    return client


def words(page: str) -> str:
    """Return the words of a page, one blank between them."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())


class TestWhyThisPrice:
    def test_the_api_says_what_the_command_says(self, service: Service, client: TestClient) -> None:
        told = run("explain", str(CALL), "--format", "json", "--store", service.ledger.url).json()
        assert client.get(f"/api/v1/calls/{CALL}/explanation").json() == told
        before = client.get(f"/api/v1/calls/{CALL}/explanation?at=5").json()
        assert [price["position"] for price in before["prices"]] == [3]
        assert client.get(f"/api/v1/calls/{CALL}/explanation?at=2").json()["prices"] == []

    def test_the_calls_page_has_each_step_and_leads_to_the_line_of_the_tariff(self, client: TestClient) -> None:
        page = client.get(f"/calls/{CALL}").text
        assert '<a href="/tariffs/2#line-1">' in page
        assert "36 s at 0.6 cents a minute 0 .36" in words(page)
        assert "to 2026-11, for 2026-10; 2026-10 was closed at position 5: the difference, to account acme" in words(
            page
        )
        assert f"By bob : {WHY}" in words(page)

    def test_numbers_in_reasons_and_the_lines_own_are_masked(self, reader: TestClient) -> None:
        for path in (f"/api/v1/calls/{CALL}/explanation", f"/calls/{CALL}"):
            answer = reader.get(path)
            assert answer.status_code == 200
            assert "18585559999" not in answer.text
            assert SRC not in answer.text


class TestTheTariff:
    def test_a_version_is_its_text_and_what_it_changed(self, service: Service, client: TestClient) -> None:
        told = run("tariff", "show", "2", "--format", "json", "--store", service.ledger.url).json()
        found = client.get("/api/v1/tariffs/2").json()
        assert found | told == found
        assert "-per_minute = 0.6\n+per_minute = 0.7" in found["diff"]
        assert client.get("/api/v1/tariffs/2?against=2").json()["diff"] == ""
        assert client.get("/api/v1/tariffs/1").json()["against"] is None
        assert [client.get(f"/api/v1/tariffs/{each}").status_code for each in ("3", "2?against=9", "x")] == [
            404,
            404,
            400,
        ]

    def test_its_page_numbers_the_lines_and_shows_the_change(self, client: TestClient) -> None:
        page = client.get("/tariffs/2").text
        assert 'id="line-4"' in page
        assert "removed per_minute = 0.6" in words(page)
        assert "added per_minute = 0.7" in words(page)
        assert 'href="/tariffs/2"' in client.get("/tariffs").text
        assert "2 items 1 call in progress 2 exceptions" in words(client.get("/tariffs").text)
        assert client.get("/tariffs/3").status_code == 404


class TestTheStatement:
    def test_the_api_and_the_file_and_the_command_agree(self, service: Service, client: TestClient) -> None:
        found = client.get("/api/v1/statements/acme/2026-11").json()
        told = run("statement", "acme", "2026-11", "--format", "json", "--store", service.ledger.url).json()
        assert found == told == client.get("/statements/acme/2026-11/json").json()
        assert WHY in [line["text"] for line in found["lines"]]

    def test_there_is_none_of_an_unknown_account(self, client: TestClient, reader: TestClient) -> None:
        paths = ("nobody/2026-10", "acme/2026-13", "/2026-10", "a/b/2026-10")
        assert [client.get(f"/api/v1/statements/{path}").status_code for path in paths] == [404, 400, 404, 404]
        assert "18585559999" not in reader.get("/api/v1/statements/acme/2026-11").text


def test_the_metrics_are_those_of_the_command_page_by_page(service: Service, client: TestClient) -> None:
    told = run("metrics", "--format", "json", "--store", service.ledger.url).json()
    first = client.get("/api/v1/metrics?limit=1").json()
    assert first["items"] == told[:1]
    assert first["next"] is None
    assert client.get("/api/v1/metrics?account=acme&period=2026-10").json()["items"] == told
    assert client.get("/api/v1/metrics?account=nobody").json()["items"] == []
    assert client.get("/api/v1/metrics?period=2026-13").status_code == 400


class TestWhatOperatorsDid:
    def test_each_event_says_who_did_what_why_and_what_it_moved(self, client: TestClient) -> None:
        found = client.get("/api/v1/operator-events?sort=position").json()["items"]
        told = [(each["position"], each["kind"], each["done_by"], each["account"], each["moved"]) for each in found]
        assert told == [
            (1, "tariff-published", "ann", "", None),
            (4, "tariff-published", "ann", "", None),
            (5, "month-closed", "ann", "", None),
            (6, "call-rerated", "bob", "acme", "0.64"),
            (7, "account-adjusted", "bob", "acme", "-1.5"),
            (8, "account-adjusted", "eve", "acme", "1.5"),
        ]
        assert (found[3]["call_id"], found[3]["about"], found[5]["reverses"]) == (str(CALL), "by version 2", 7)
        assert found[2]["about"] == "2026-10, with 2 open items accepted"

    def test_they_are_filtered_by_person_kind_time_account_and_searched_by_reason(self, client: TestClient) -> None:
        for query, positions in {
            "who=bob": [6, 7],
            "kind=month-closed": [5],
            "kind=call-rerated&about=by+version+2": [6],
            "about=by+version+1": [],
            "account=acme": [6, 7, 8],
            "why=AS+agreed": [6, 7],
            "why=%25": [],
            "from=2026-10-02": [],
            "through=2100-01": [1, 4, 5, 6, 7, 8],
        }.items():
            rows = client.get(f"/api/v1/operator-events?sort=position&{query}").json()["items"]
            assert [row["position"] for row in rows] == positions, query
            lines = client.get(f"/api/v1/operator-events.csv?{query}").text.splitlines()[1:]
            assert len(lines) == len(positions)

    def test_the_page_leads_to_calls_and_accounts_and_says_what_was_undone(self, client: TestClient) -> None:
        page = client.get("/events?whole=1").text
        assert f'href="/calls/{CALL}"' in page
        assert 'by <a href="/events/8">' in page
        assert 'it undid <a href="/events/7">' in page
        assert "/api/v1/operator-events.csv?who=bob" in client.get("/events?who=bob").text
        assert "account-adjusted" in words(client.get("/fragments/operator-events/facets").text)

    def test_what_a_closing_accepted_has_a_line_for_each_item(self, client: TestClient) -> None:
        page = client.get("/events/5").text
        assert '<pre class="raw">1 call in progress\n2 exceptions</pre>' in page

    def test_a_tariff_version_leads_to_the_calls_that_it_rerated_and_the_money_moved(self, client: TestClient) -> None:
        links = {re.search(r'href="(/events[?][^"]*)"', client.get(path).text) for path in ("/tariffs", "/tariffs/2")}
        assert {unescape(link[1]) for link in links if link} == {"/events?kind=call-rerated&about=by%20version%202"}
        page = client.get("/events?kind=call-rerated&about=by%20version%202&whole=1").text
        assert re.search(r'data-sum="moved"><data class="amount" value="0.64">', page)
        assert "version 1" not in words(page)

    def test_who_sees_no_numbers_sees_none_in_reasons_and_finds_none_by_searching(self, reader: TestClient) -> None:
        for path in ("/events", "/api/v1/operator-events"):
            assert "18585559999" not in reader.get(path).text
            assert reader.get(f"{path}?why=1858").status_code == 400


class TestTheSearch:
    def test_tags_are_found_by_their_beginning_and_people_by_their_names(self, client: TestClient) -> None:
        client.follow_redirects = False
        assert client.get(f"/search?q={TAG[:2]}").headers["location"] == f"/calls?tag={TAG}"
        assert [client.get(f"/search?q={name}").headers["location"] for name in ("bob", "bo")] == [
            "/events?who=bob"
        ] * 2

    def test_a_number_by_its_last_digits_and_a_reason_by_its_words_if_they_may_be_seen(
        self, client: TestClient, reader: TestClient
    ) -> None:
        client.follow_redirects = reader.follow_redirects = False
        assert client.get(f"/search?q={SRC[-5:]}").headers["location"] == f"/calls?number={SRC}"
        assert client.get("/search?q=AGREED").headers["location"] == "/events?why=AGREED"
        for query in (SRC[-5:], "agreed", "18585559"):
            assert "Nothing found" in reader.get(f"/search?q={query}").text


def test_a_call_that_is_part_of_another_is_found_and_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with opened(url) as ledger:
        record(ledger, callstatus("SRCANSWERED", tag="gone"), callstatus("SRCANSWERED", tag="kept"))
        gone, kept = (call_id((tag, SRC), 1) for tag in ("gone", "kept"))
        with ledger.operator_session("ann", "one call") as session:
            session.merge_calls(gone, kept)
        catch_up_with(ledger)
    service = asgi.service_at(tmp_path)
    with asgi.running(service) as client:
        client.headers.update(bearer(service, "read"))
        client.follow_redirects = False
        assert client.get(f"/search?q={str(gone)[:8]}").headers["location"] == f"/calls/{gone}"
        assert client.get(f"/calls/{gone}").status_code == 200
        with service.read_models.session() as room:
            assert moved_calls_beginning_with(room.connection, str(gone), 2) == [(str(gone), str(kept))]
            assert moved_calls_beginning_with(room.connection, str(kept), 2) == []
