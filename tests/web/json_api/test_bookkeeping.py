"""Reratings, closings and tariffs by the API: what the commands do, each with a dry run."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.application import rerating
from api.service import Service
from domain import times
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support import asgi_service as asgi
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus, priced_cdr
from tests.support.web_users import bearer

FIRST, SECOND = (f'[[rules]]\ntag = "*"\nmarkup_percent = {percent}\n' for percent in (20, 50))
MONTH = "2026-09"
WHY = {"reason": "agreed with the customer"}


class Books:
    """A service over a ledger with two calls in September, one of which lacks its CDR; requests are an operator's."""

    def __init__(self, service: Service, client: TestClient) -> None:
        self.service, self._client = service, client
        self._operator = bearer(service, "operate")

    @property
    def head(self) -> int:
        return self.service.ledger.head()

    def post(self, path: str, **fields: str) -> Any:
        return self._client.post(f"/api/v1/{path}", json=fields, headers=self._operator)

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1/{path}", headers=bearer(self.service, "read", "pii"))

    def caught_up(self) -> None:
        with closing(open_current(self.service.ledger)) as store:
            catch_up(self.service.ledger, store)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with opened(f"sqlite:///{tmp_path}/ledger.db", clock=asgi.Clock()) as ledger:
        at = -5 * times.DAY
        lost = {"tag": "lost", "src": "18585550077"}
        record(ledger, callstatus("SRCANSWERED", at), callstatus("COMPLETED", at + 1), priced_cdr(at + 2))
        record(ledger, callstatus("SRCANSWERED", at, **lost), callstatus("COMPLETED", at + 1, **lost))
    service = asgi.service_at(tmp_path)
    with asgi.running(service) as client:
        yield Books(service, client)


class TestATariff:
    def test_is_previewed_with_what_it_changes_and_published(self, books: Books) -> None:
        dry = books.post("tariffs?dry_run=true", text=FIRST, **WHY).json()
        assert (dry["version"], dry["rules"], dry["position"], dry["diff"], books.head) == (1, 1, None, [], 5)
        done = books.post("tariffs?if_version=1", text=FIRST.replace("\n", "\r\n"), **WHY).json()
        assert (done["dry_run"], done["position"]) == (False, 6)
        assert run("tariff", "show", "1", "--store", books.service.ledger.url).out == FIRST
        changed = books.post("tariffs?dry_run=true", text=SECOND, **WHY).json()
        assert [(line["kind"], line["text"]) for line in changed["diff"] if line["kind"] in ("added", "removed")] == [
            ("removed", "markup_percent = 20"),
            ("added", "markup_percent = 50"),
        ]

    def test_is_not_published_as_another_version_than_was_shown(self, books: Books) -> None:
        books.post("tariffs", text=FIRST, **WHY)
        refused = books.post("tariffs?if_version=1", text=SECOND, **WHY)
        assert (refused.status_code, "changed since the preview" in refused.text, books.head) == (409, True, 6)

    def test_with_mistakes_is_refused_with_all_of_them(self, books: Books) -> None:
        for query in ("?dry_run=true", ""):
            refused = books.post(f"tariffs{query}", text='[[rules]]\ntag = 1\nprice = "x"', **WHY)
            assert (refused.status_code, [each["line"] for each in refused.json()["findings"]]) == (409, [2, 3])
        assert books.head == 5


class TestARerating:
    def test_is_previewed_done_and_as_the_command_says(self, books: Books) -> None:
        books.post("tariffs", text=FIRST, **WHY)
        books.caught_up()
        asked = {"account": "sales", "period": MONTH, "tariff": "1"} | WHY
        dry = books.post("reratings?dry_run=true", **asked).json()
        options = [word for name, value in asked.items() for word in (f"--{name}", value)]
        said = run(
            "rerate", *options, "--by", "kim", "--dry-run", "--format", "json", "--store", books.service.ledger.url
        )
        assert {"calls": dry["changes"], "accounts": dry["accounts"]} == said.json()
        assert (dry["calls"], dry["accounts"][0]["price"], books.head) == (1, "0.7", 6)
        done = books.post(f"reratings?if_preview={dry['preview']}", **asked).json()
        assert (done, books.head) == (dry | {"dry_run": False}, 7)
        again = books.post(f"reratings?if_preview={dry['preview']}", **asked)
        assert (again.status_code, books.head) == (409, 7)

    def test_of_more_calls_than_a_request_can_rate_is_the_commands(
        self, books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rerating, "CALLS_OF_REQUEST_MAX", 0)
        books.caught_up()
        refused = books.post("reratings", account="sales", period=MONTH, tariff="1", **WHY)
        assert (refused.status_code, "`tringledger rerate`" in refused.json()["detail"]) == (409, True)


class TestAnAccountsMonth:
    def test_is_explained_as_the_command_explains_it(self, books: Books) -> None:
        books.post("tariffs", text=FIRST, **WHY)
        books.post("adjustments", account="sales", amount="-1.25", period=MONTH, **WHY)
        books.caught_up()
        found = books.get(f"explanations/sales/{MONTH}").json()
        options = ("--account", "sales", "--period", MONTH, "--format", "json", "--store", books.service.ledger.url)
        assert found == run("explain", *options).json()
        assert (found["total"]["price"], len(found["rules"]), len(found["postings"])) == ("2.25", 1, 1)
        assert books.get(f"explanations/sales/{MONTH[:4]}-01").status_code == 404


class TestAClosing:
    def test_needs_what_is_open_to_be_accepted_and_accepts_nothing_else(self, books: Books) -> None:
        dry = books.post("closings?dry_run=true", period=MONTH).json()
        assert [each["kind"] for each in dry["open"]] == ["missing-cdr"]
        shown = books.get(f"closings/{MONTH}").json()
        (month,) = shown.pop("months")
        assert (month["period"], shown) == (MONTH, {name: dry[name] for name in shown})
        assert books.get("closings/9998-01").status_code == 409
        refused = books.post("closings", period=MONTH)
        assert (refused.status_code, "1 open items" in refused.json()["detail"], books.head) == (409, True, 5)
        other = books.post(f"closings?if_preview={'0' * 24}", period=MONTH, accept="it will not come")
        assert (other.status_code, books.head) == (409, 5)
        done = books.post(f"closings?if_preview={dry['preview']}", period=MONTH, accept="it will not come").json()
        assert done == dry | {"dry_run": False, "closed_at_position": 6}
        again = books.post("closings?dry_run=true", period=MONTH)
        assert (again.status_code, "closed already" in again.json()["detail"]) == (409, True)

    def test_of_a_month_that_is_not_over_is_refused(self, books: Books) -> None:
        early = [books.get(path) for path in ("closings/0961-08", "billing/comparison?period=0961-08")]
        for beyond in [books.post("closings?dry_run=true", period="0961-08"), *early]:
            assert (beyond.status_code, "from 1970 to 9998" in beyond.text) == (400, True)
        refused = books.post("closings?dry_run=true", period="2999-10")
        assert (refused.status_code, "not over yet" in refused.json()["detail"]) == (409, True)
