"""Several exceptions or notices by one request of the API: each as one alone, and all resolved or none."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.support.ledgers import record
from tests.support.notices import priced_cdr

pytestmark = pytest.mark.only_on("sqlite")


def post(client: TestClient, path: str, **fields: str) -> Any:
    return client.post(f"/api/v1/{path}", json=fields)


def test_chosen_exceptions_are_resolved_together_or_not_at_all(client: TestClient) -> None:
    listed: list[dict[str, Any]] = client.get("/api/v1/exceptions?limit=2").json()["items"]
    chosen = ",".join(f"{each['flag']}:{each['position']}" for each in listed)
    refused = post(client, "exceptions/resolve", exceptions=f"{chosen}, repeated-cdr:1", reason="no")
    assert (refused.status_code, "no exception repeated-cdr at position 1" in refused.json()["detail"]) == (409, True)
    done = post(client, "exceptions/resolve", exceptions=chosen, reason="known").json()["positions"]
    assert done[1] == done[0] + 1
    assert len(post(client, "exceptions/reopen", exceptions=chosen, reason="not so").json()["positions"]) == 2
    wrong = post(client, "exceptions/resolve", exceptions="red", reason="no")
    assert wrong.json()["errors"][0]["detail"].startswith("expected FLAG:POSITION")


def test_an_exception_is_shown_with_its_twin(client: TestClient, service: Service) -> None:
    record(service.ledger, *(priced_cdr(r=number, tag="twice") for number in (1, 2)))
    first, second = service.ledger.head() - 1, service.ledger.head()
    shown = client.get(f"/api/v1/exceptions/repeated-cdr/{second}?min_position={second}").json()
    assert (shown["exception"]["tag"], shown["twin_position"]) == ("twice", first)
    assert client.get(f"/api/v1/exceptions/missing-opening/{first}").json()["twin_position"] is None
    assert client.get(f"/api/v1/exceptions/repeated-cdr/{first}").status_code == 404


def test_chosen_notices_are_tried_again_or_settled_together(client: TestClient) -> None:
    waiting = client.get("/api/v1/quarantine?limit=2").json()["items"]
    entries = ",".join(str(each["id"]) for each in waiting)
    tried = post(client, "quarantine/reprocess", entries=entries).json()["items"]
    assert [(each["outcome"], each["position"]) for each in tried] == [("invalid", None)] * 2
    assert all(each["reason"] for each in tried)
    assert post(client, "quarantine/resolve", entries=f"{entries},999999", reason="no").status_code == 404
    done = post(client, "quarantine/resolve", entries=entries, reason="a scanner").json()["positions"]
    assert len(done) == 2
    assert post(client, "quarantine/resolve", entries=entries, reason="a scanner").status_code == 409
