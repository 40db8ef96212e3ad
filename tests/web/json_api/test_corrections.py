"""Corrections by the API do what the commands do, and a dry run says what that is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support import asgi_service as asgi
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, TAG, callstatus, priced_cdr
from tests.support.web_users import bearer

REASON = {"reason": "the customer is right"}
ACCOUNTED = "/api/v1/adjustments"


class Books:
    """A service over a ledger with one call, whose CDR came twice; requests are an operator's."""

    def __init__(self, service: Service, client: TestClient) -> None:
        self.service, self._client = service, client
        self._operator = bearer(service, "operate")

    @property
    def head(self) -> int:
        return self.service.ledger.head()

    @property
    def call(self) -> str:
        return f"/api/v1/calls/{self.service.ledger.store.page(0, 1, 1)[0].stream_id}"

    def post(self, path: str, headers: dict[str, str] | None = None, /, **fields: str) -> Any:
        return self._client.post(path, json=REASON | fields, headers=headers or self._operator)

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._operator).json()

    def audited(self) -> list[tuple[str, str]]:
        found = self._client.get("/api/v1/access-log", headers=self._operator).json()["items"]
        return [(each["did"], each["what"]) for each in found]


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with opened(f"sqlite:///{tmp_path}/ledger.db", clock=asgi.Clock()) as ledger:
        record(ledger, callstatus(), callstatus("COMPLETED", 1), priced_cdr(2), priced_cdr(3))
    service = asgi.service_at(tmp_path)
    with asgi.running(service) as client:
        yield Books(service, client)


class TestADryRun:
    def test_says_what_moves_and_writes_nothing_and_its_answer_makes_sure_of_it(self, books: Books) -> None:
        path = f"{books.call}/void"
        found = books.post(f"{path}?dry_run=true").json()
        (month,) = found["moved"]
        assert (month["account"], month["period"], month["price"], month["cost"]) == ("sales", "2026-10", "-3.5", "0")
        assert (found["dry_run"], found["position"], found["events"][0]["position"], books.head) == (
            True,
            None,
            None,
            4,
        )
        done = books.post(f"{path}?if_preview={found['preview']}").json()
        assert done == found | {"dry_run": False, "position": 5, "events": [found["events"][0] | {"position": 5}]}
        again = books.post(f"{path}?if_preview={found['preview']}")
        assert (again.status_code, "void already" in again.json()["detail"], books.head) == (409, True, 5)

    def test_of_what_changed_since_is_refused(self, books: Books) -> None:
        seen = books.post(f"{books.call}/split?dry_run=true", positions="3").json()["preview"]
        books.post(f"{books.call}/void")
        refused = books.post(f"{books.call}/split?if_preview={seen}", positions="3")
        assert (refused.status_code, "changed since the preview" in refused.json()["detail"]) == (409, True)

    def test_is_a_view_and_no_change_in_the_audit_log(self, books: Books) -> None:
        for query in ("?dry_run=true", ""):
            assert books.post(f"{books.call}/void{query}").status_code == 200
        assert [did for did, what in books.audited() if "/void" in what] == ["changed", "viewed"]


class TestACorrection:
    def test_of_each_kind_is_done_and_undone(self, books: Books) -> None:
        split = books.post(f"{books.call}/split", positions="3, 4").json()
        assert [call["before"] is None for call in split["calls"]] == [False, True]
        new = split["calls"][1]["call_id"]
        merged = books.post(f"/api/v1/calls/{new}/merge", into=books.call.rpartition("/")[2]).json()
        assert (merged["moved"], books.head) == (split["moved"], 8) == ([], 8)
        released = books.post("/api/v1/cdrs/4/release").json()
        assert (released["moved"][0]["calls"], released["moved"][0]["price"]) == (1, "3.5")
        undone = books.post(f"/api/v1/operator-events/{released['position']}/undo").json()
        assert (undone["moved"][0]["calls"], undone["moved"][0]["price"]) == (-1, "-3.5")
        with closing(open_current(books.service.ledger)) as store:
            catch_up(books.service.ledger, store)
        event = books.get(f"/api/v1/events/{released['position']}")
        assert event["undone_by"] in [each["position"] for each in undone["events"]]

    def test_that_voids_a_call_gives_it_a_flag_to_filter_by_which_is_not_an_exception(self, books: Books) -> None:
        assert books.post(f"{books.call}/void").status_code == 200
        with closing(open_current(books.service.ledger)) as store:
            catch_up(books.service.ledger, store)
        for model in ("calls", "cdrs"):
            for facet in books.get(f"/api/v1/{model}/facets?columns=flags")["flags"]:
                found = books.get(f"/api/v1/{model}?flag={facet['value']}")["items"]
                assert (len(found), "voided" in found[0]["flags"]) == (facet["rows"], True)
        assert books.get("/api/v1/exceptions?flag=voided")["status"] == 400

    def test_shows_no_whole_number_without_the_role(self, books: Books) -> None:
        assert books.post(f"{books.call}/split", positions="1").status_code == 200
        moved = books.get(f"{books.call}/events")["events"][-1]
        assert (moved["type"], moved["line"]) == ("notices-moved", [TAG, "185••••••01"])
        assert SRC not in str(moved)

    def test_of_an_account_needs_one_that_the_books_know(self, books: Books) -> None:
        refused = books.post(ACCOUNTED, account="slaes", amount="-12.5")
        assert (refused.status_code, "no account 'slaes'" in refused.json()["detail"]) == (409, True)
        (month,) = books.post(ACCOUNTED, account="slaes", amount="-12.5", new_account="true").json()["moved"]
        assert (month["account"], month["period"], month["price"]) == ("slaes", "2026-10", "-12.5")
        assert books.post(ACCOUNTED, account="slaes", amount="3", period="2026-09").json()["moved"][0]["price"] == "3"

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [({"amount": "1,50"}, "amount"), ({"period": "october"}, "period"), ({"reason": " "}, "reason")],
    )
    def test_names_what_it_does_not_understand(self, books: Books, fields: dict[str, str], wrong: str) -> None:
        refused = books.post(ACCOUNTED, **({"account": "sales", "amount": "1"} | fields))
        assert (refused.status_code, [each["parameter"] for each in refused.json()["errors"]]) == (400, [wrong])

    def test_charges_calls_without_an_account_only_where_that_is_said(self, books: Books) -> None:
        refused = books.post(ACCOUNTED, amount="1", new_account="true")
        assert (refused.status_code, refused.json()["detail"]) == (
            400,
            "account: expected it, if only as an empty text",
        )
        assert books.head == 4

    def test_needs_the_role(self, books: Books) -> None:
        for role in ("read", "export"):
            assert books.post(f"{books.call}/void", bearer(books.service, role)).status_code == 403
        assert books.head == 4
