"""A day that was sent again (SPEC 9.7): programs are told what the command and the page say."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain import times
from projections.building.catch_up import catch_up
from projections.queries import suspects
from projections.stores.generations import open_current
from tests.support import asgi_service as asgi
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import START, priced_cdr
from tests.support.web_users import bearer

WEEK, SECOND = 7 * times.DAY, times.SECOND
MONTH = "2026-10"
SUSPECTS = "/api/v1/suspects"


class Shop:
    """A service over a ledger with three calls that came twice, a week apart."""

    def __init__(self, service: Service, client: TestClient) -> None:
        self.service = service
        self._client = client

    def get(self, path: str, *roles: str) -> Any:
        return self._client.get(path, headers=bearer(self.service, *(roles or ("read", "pii"))))

    def settle(self, position: int, *roles: str) -> Any:
        path, reason = f"{SUSPECTS}/{position}/settle-run", {"reason": "they took place"}
        return self._client.post(path, json=reason, headers=bearer(self.service, *(roles or ("operate",))))

    def catch_up(self) -> None:
        with opened(self.service.ledger.url) as ledger, closing(open_current(ledger)) as store:
            catch_up(ledger, store)


@pytest.fixture
def shop(store: str) -> Iterator[Shop]:
    with opened(store, clock=lambda: START + 8 * times.DAY) as ledger:
        for at in (0, WEEK):
            calls = [
                priced_cdr(at + n * SECOND, tag="again", src=f"1858555000{n}", destduration=7 + n) for n in range(3)
            ]
            record(ledger, *calls)
        with closing(open_current(ledger)) as read_store:
            catch_up(ledger, read_store)
    service = asgi.service_at(Path(), lambda: START + 9 * times.DAY, TRINGLEDGER_STORE=store)
    with asgi.running(service) as client:
        yield Shop(service, client)


class TestARunOfSuspects:
    @pytest.mark.parametrize("asked", ["", f"?period={MONTH}"])
    def test_is_listed_as_the_command_lists_it(self, shop: Shop, asked: str) -> None:
        found = shop.get(SUSPECTS + asked).json()
        assert found == run("exception", "suspects", "--format", "json", "--store", shop.service.ledger.url).json()
        assert [each["position"] for each in found["runs"][0]["suspects"]] == [4, 5, 6]

    def test_is_counted_in_the_status(self, shop: Shop) -> None:
        assert shop.get("/api/v1/status").json()["suspect_runs"] == 1

    def test_is_not_of_another_month(self, shop: Shop) -> None:
        for month in ("2026-09", "0001-01"):
            assert shop.get(f"{SUSPECTS}?period={month}").json() == {"runs": [], "alone": []}

    def test_hides_numbers_from_who_may_not_see_them(self, shop: Shop) -> None:
        answer = shop.get(SUSPECTS, "read")
        assert answer.status_code == 200
        assert "1858555" not in answer.text

    def test_is_settled_by_the_position_of_one_of_them(self, shop: Shop) -> None:
        assert shop.settle(5, "read").status_code == 403
        head = shop.settle(5).json()["position"]
        assert head == shop.service.ledger.head() == 9
        shop.catch_up()
        assert shop.get(SUSPECTS).json() == {"runs": [], "alone": []}
        refused = shop.settle(5)
        assert (refused.status_code, "no run has a suspect at position 5" in refused.text) == (409, True)

    def test_is_not_looked_for_among_too_many_calls_and_the_refusal_says_what_to_ask(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(suspects, "RECENT_CALLS_MAX", 5)
        refused = shop.get(SUSPECTS)
        assert refused.status_code == 409
        assert "among more than 5 calls, and the last 62 days have more; expected a month" in refused.json()["detail"]
        assert shop.get("/api/v1/status").json()["suspect_runs"] is None
        assert "among more than 5 calls" in shop.get("/exceptions").text
        monkeypatch.setattr(suspects, "RECENT_CALLS_MAX", 6)
        assert shop.get(SUSPECTS).status_code == 200

    @pytest.mark.parametrize("month", ["2026-13", "october", "0000-01"])
    def test_needs_a_month_that_is_one(self, shop: Shop, month: str) -> None:
        refused = shop.get(f"{SUSPECTS}?period={month}")
        assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, "period")
