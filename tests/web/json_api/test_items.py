"""One of a kind: a call and its events, the quarantine, the status, and the documents that describe the API."""

from typing import Any

import msgspec
from starlette.testclient import TestClient

from api.service import Service
from api.web.json_api.named_schemas import resolved
from api.web.json_api.routes import operations
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get
from tests.support.command import run
from tests.support.notices import OTHER_KEY, callstatus, signed
from tests.web.json_api.conftest import Asking

CALL = "/api/v1/calls/317c4008-664b-5b39-a554-0d2515e0247a"
NO_CALL = "/api/v1/calls/00000000-0000-0000-0000-000000000000"


class TestACall:
    def test_it_has_its_row_its_cdr_and_its_flags(self, client: TestClient) -> None:
        found = client.get(CALL).json()
        assert (found["call"]["tag"], found["cdr"]["cost"]) == ("dept-2", "60.38603")
        assert found["exceptions"] == []

    def test_its_events_are_its_history(self, client: TestClient, service: Service) -> None:
        found = client.get(f"{CALL}/events").json()
        told = run("history", CALL.rpartition("/")[2], "--format", "json", "--store", service.ledger.url).json()
        assert found == told

    def test_they_end_where_asked(self, client: TestClient) -> None:
        found = client.get(f"{CALL}/events?at=2").json()
        assert ([event["position"] for event in found["events"]], found["cdr"]) == ([1, 2], None)
        assert client.get(f"{CALL}/events?at=2026-01-01T00:00:00Z").status_code == 404
        assert client.get(f"{CALL}/events?at=2026-01-01").status_code == 404
        assert client.get(f"{CALL}/events?at=2100-01").json() == client.get(f"{CALL}/events").json()
        assert client.get(f"{CALL}/events?at=soon").status_code == 400

    def test_who_may_not_see_numbers_sees_none(self, asking: Asking) -> None:
        for path in (CALL, f"{CALL}/events"):
            answer = asking("read").get(path)
            assert answer.status_code == 200
            assert "8557612" not in answer.text

    def test_one_that_is_not_there_is_said_to_be_missing(self, client: TestClient) -> None:
        for path in (NO_CALL, f"{NO_CALL}/events"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["title"]) == (404, "Nothing there")
        assert client.get("/api/v1/calls/x").status_code == 400


class TestWhatIsFound:
    def test_a_search_finds_what_that_of_the_pages_finds(self, client: TestClient) -> None:
        call = CALL.rpartition("/")[2]
        (found,) = client.get(f"/api/v1/search?q={call[:8]}").json()["items"]
        assert found == {"kind": "call", "what": call, "about": "of tag dept-2", "page": f"/calls/{call}"}
        kinds = [each["kind"] for each in client.get("/api/v1/search?q=dept-2").json()["items"]]
        assert set(kinds) >= {"tag"}
        assert client.get("/api/v1/search?q=").json() == {"items": []}

    def test_numbers_are_masked_for_who_may_not_see_them(self, client: TestClient, asking: Asking) -> None:
        whole, masked = (each.get("/api/v1/search?q=1858-5557612").json() for each in (client, asking("read")))
        assert [each["what"] for each in whole["items"] if each["kind"] == "number"] == ["18585557612"]
        assert [each["what"] for each in masked["items"] if each["kind"] == "number"] == ["185••••••12"]
        assert client.get("/api/v1/search?q=557612").json() != {"items": []}
        assert asking("read").get("/api/v1/search?q=557612").json() == {"items": []}


class TestAnEvent:
    def test_it_is_the_line_that_tail_prints(self, client: TestClient, asking: Asking, service: Service) -> None:
        said = run("tail", "--from", "1", "--no-follow", "--format", "ndjson", "--store", service.ledger.url).out
        line = msgspec.json.decode(said.partition("\n")[0])
        assert client.get("/api/v1/events/1").json() == line | {"undone_by": None}
        masked = asking("read").get("/api/v1/events/1")
        assert (masked.status_code, line["src"] in masked.text) == (200, False)
        assert client.get("/api/v1/events/999999").status_code == 404


class TestTheQuarantine:
    def test_it_is_listed_page_by_page(self, client: TestClient) -> None:
        whole = client.get("/api/v1/quarantine").json()["items"]
        first = client.get("/api/v1/quarantine?limit=1")
        rest = client.get(first.links["next"]["url"] + "&limit=1000").status_code
        assert rest == 400
        following = client.get(first.links["next"]["url"]).json()["items"]
        assert first.json()["items"] + following == whole[:2]

    def test_one_is_shown_whole_and_masked_for_who_may_not_see_numbers(
        self, client: TestClient, asking: Asking
    ) -> None:
        entries = client.get("/api/v1/quarantine").json()["items"]
        broken = next(each for each in entries if "much" in each["reason"])
        path = f"/api/v1/quarantine/{broken['id']}"
        assert "18585550199" in client.get(path).json()["raw"]
        assert "18585550199" not in asking("read").get(path).text

    def test_one_that_is_still_unfit_stays(self, client: TestClient, asking: Asking) -> None:
        entry = client.get("/api/v1/quarantine").json()["items"][0]
        path = f"/api/v1/quarantine/{entry['id']}/reprocess"
        answer = client.post(path)
        assert (answer.status_code, answer.json()["title"]) == (409, "Not possible in the current state")
        assert asking("read", "export", "pii").post(path).status_code == 403
        assert client.post("/api/v1/quarantine/999999/reprocess").status_code == 404


class TestResolving:
    def test_a_notice_that_is_not_to_be_recorded_is_settled_with_a_reason(
        self, client: TestClient, service: Service
    ) -> None:
        get(client, signed(callstatus(r=77), OTHER_KEY))
        entry = client.get("/api/v1/quarantine").json()["items"][-1]
        path = f"/api/v1/quarantine/{entry['id']}/resolve"
        bodies: list[Any] = [{}, {"reason": " "}, {"reason": "x", "by": "y"}, {"reason": 1}, []]
        for body in bodies:
            assert client.post(path, json=body).status_code == 400, body
        position = client.post(path, json={"reason": "a test of ours"}).json()["position"]
        assert position == service.ledger.head()
        assert entry not in client.get("/api/v1/quarantine").json()["items"]
        assert client.post(path, json={"reason": "again"}).status_code == 409

    def test_an_exception_is_resolved_and_opened_again(self, client: TestClient) -> None:
        found = client.get("/api/v1/exceptions?limit=1&flag=missing-opening").json()["items"][0]
        path = f"/api/v1/exceptions/{found['flag']}/{found['position']}"
        for verb, shown in (("resolve", "as agreed"), ("reopen", "")):
            position = client.post(f"{path}/{verb}", json={"reason": "as agreed"}).json()["position"]
            query = f"limit=1000&flag=missing-opening&min_position={position}"
            now = client.get(f"/api/v1/exceptions?{query}").json()["items"]
            assert [row["resolution"] for row in now if row["position"] == found["position"]] == [shown]
        assert client.post(f"{path}9/resolve", json={"reason": "x"}).status_code == 409


def test_a_job_is_started_and_looked_at_until_it_is_done(client: TestClient, asking: Asking) -> None:
    assert asking("read", "export", "pii").post("/api/v1/jobs", json={"kind": "check"}).status_code == 403
    assert client.post("/api/v1/jobs", json={"kind": "tidy"}).status_code == 400
    started = client.post("/api/v1/jobs", json={"kind": "check"}).json()
    again = client.post("/api/v1/jobs", json={"kind": "check"})
    assert again.status_code == 409

    def now() -> dict[str, object]:
        found: dict[str, object] = client.get(f"/api/v1/jobs/{started['id']}").json()
        return found

    asgi.eventually(lambda: now()["state"] != "running", 60)
    assert (now()["state"], now()["found"]) == ("done", 0), now()
    assert client.get("/api/v1/jobs").json()["items"][0] == now()
    assert client.get("/api/v1/jobs/00000000-0000-0000-0000-000000000000").status_code == 404


def test_the_status_is_that_of_the_command(client: TestClient, service: Service) -> None:
    found = client.get("/api/v1/status").json()
    told = run("status", "--format", "json", "--store", service.ledger.url).json()
    assert (found["ledger"], found["head"]) == (told["ledger"], told["head"])


def test_both_documents_have_every_operation(client: TestClient) -> None:
    document, page = client.get("/openapi.json").json(), client.get("/reference").text
    document["paths"] = resolved(document, document["paths"])
    for each in operations():
        described = document["paths"][each.path][each.method.lower()]
        assert described["operationId"] == each.name
        body = described.get("requestBody", {"content": {"application/json": {"schema": {"properties": {}}}}})
        named = {parameter["name"] for parameter in described["parameters"]}
        named |= set(body["content"]["application/json"]["schema"]["properties"])
        assert named == {one.name for one in each.all_parameters}
        assert f"<code>{each.method} {each.path}</code>" in page
    assert "http://" not in page
    assert "https://" not in page


def test_nothing_is_told_to_who_does_not_say_who_he_is(service: Service) -> None:
    stranger = TestClient(service.app, raise_server_exceptions=False)
    for each in operations():
        answer = stranger.request(each.method, each.path.replace("{format}", "csv"))
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert stranger.get("/openapi.json").status_code == 401


def test_a_generated_client_has_a_class_for_each_kind_of_thing_and_not_for_each_use(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"CallsRow", "CdrsRow", "Problem", "Disposition", "ShowStatementAnswer"} <= schemas.keys()
    described = [each for methods in document["paths"].values() for each in methods.values()]
    inline = str([each["parameters"] + [each.get("requestBody"), each["responses"]] for each in described])
    assert "'properties'" not in inline
    assert "'enum'" not in inline
    assert all(
        each["tags"] == [tag["name"]] for each in described for tag in document["tags"] if tag["name"] in each["tags"]
    )
    assert {tag["name"] for tag in document["tags"]} >= {
        "calls",
        "cdrs",
        "accounts",
        "statements",
        "quarantine",
        "status",
    }
    # One for the reasons of all changes, and one for a call's row in three answers.
    assert sum(name.endswith("Request") for name in schemas) < len(
        [each for each in described if "requestBody" in each]
    )
    assert str(document["paths"]).count("schemas/CdrsRow") + str(schemas).count("schemas/CdrsRow") > 2
