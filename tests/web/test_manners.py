"""How the service behaves as a web site: compression, what is not there, other methods, slashes, and who may take callbacks."""

import re
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from api.application.process_state import ProcessState
from api.service import Service
from api.web.auth.audit_log import audit_page
from api.web.auth.csrf import mask_token, unmask_token
from api.web.compression import takes_gzip
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get, is_problem
from tests.support.notices import callstatus, signed
from tests.support.web_users import bearer, sign_in
from tests.support.write_lock import write_lock

PAGE = {"Accept": "text/html,*/*"}


class TestCompression:
    def test_pages_json_and_scripts_are_compressed_for_who_takes_it(self, client: TestClient, service: Service) -> None:
        sign_in(client, service, "read")
        script = re.search(r'src="(/static/[^"]+/pages.js)"', client.get("/calls").text)
        assert script
        for path in ("/calls", "/openapi.json", script[1], script[1].replace("pages.js", "pages.css")):
            packed, plain = (client.get(path, headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity"))
            assert packed.headers["content-encoding"] == "gzip", path
            assert int(packed.headers["content-length"]) < len(plain.content) / 2, path
            assert "content-encoding" not in plain.headers
            assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
            assert path == "/calls" or packed.text == plain.text
        assert "content-encoding" not in get(client, signed(callstatus())).headers

    @pytest.mark.parametrize(
        ("header", "takes"),
        [
            ("gzip, br", True),
            ("br, *;q=0.1", True),
            ("gzip;q=0", False),
            ("gzip; q=0.0", False),
            ("br", False),
            ("", False),
        ],
    )
    def test_who_takes_it_is_read_as_the_standard_says(self, header: str, *, takes: bool) -> None:
        scope = {"type": "http", "headers": [(b"accept-encoding", header.encode())]}
        assert takes_gzip(Request(scope)) is takes

    def test_a_forms_token_never_looks_the_same(self, client: TestClient, service: Service) -> None:
        sign_in(client, service, "read")
        tokens = [re.findall('name="csrf_token" value="([0-9a-f]+)"', client.get("/calls").text)[0] for _ in range(3)]
        assert len({*tokens}) == 3
        assert len({unmask_token(token) for token in tokens}) == 1
        assert client.post("/sign-out", data={"csrf_token": unmask_token(tokens[0])}).status_code == 403
        assert client.post("/sign-out", data={"csrf_token": tokens[0]}, follow_redirects=False).status_code == 303

    def test_what_is_no_masked_token_is_none(self) -> None:
        assert unmask_token(mask_token("00ff")) == "00ff"
        assert [unmask_token(text) for text in ("", "ab", "zzzz", "abcdef", "ABCD")] == [""] * 5


class TestWhatIsNotThere:
    def test_a_browser_gets_a_page_and_a_program_a_problem_document(self, client: TestClient, service: Service) -> None:
        page = client.get("/nowhere", headers=PAGE)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "there is nothing at /nowhere" in page.text
        assert 'href="/calls"' not in page.text
        sign_in(client, service, "read")
        assert 'href="/calls"' in client.get("/nowhere", headers=PAGE).text
        assert is_problem(client.get("/nowhere"), 404)
        assert is_problem(client.get("/api/v1/nowhere", headers=PAGE), 404)
        assert service.notify.counts["refused with 404"] == 4

    def test_a_number_with_too_many_digits_leads_nowhere(self, client: TestClient, service: Service) -> None:
        client.headers.update(bearer(service, "read", "operate"))
        for digits in (19, 24, 5000):
            for path in ("/events/", "/quarantine/", "/api/v1/quarantine/", "/tariffs/"):
                assert client.get(path + "9" * digits).status_code in (400, 404), (path, digits)
        for path in ("/events/", "/quarantine/"):
            assert client.get(path + "9" * 18).status_code == 404

    def test_another_method_is_refused_with_those_that_are_taken(self, client: TestClient, service: Service) -> None:
        for path in ("/calls", "/api/v1/calls", "/health"):
            answer = client.delete(path)
            assert is_problem(answer, 405)
            assert "GET" in answer.headers["allow"]
        for path, methods in (("/api/v1/tariffs", "GET, HEAD, POST"), ("/api/v1/quarantine/reprocess", "POST")):
            assert client.request("PUT", path).headers["allow"] == methods
        assert client.get("/api/v1/quarantine/resolve").status_code == 401
        found = client.get("/api/v1/quarantine/resolve", headers=bearer(service, "read"))
        assert (found.status_code, found.headers["allow"]) == (405, "POST")

    def test_a_slash_too_many_leads_on_without_naming_a_host(self, client: TestClient) -> None:
        client.follow_redirects = False
        answer = client.get("/calls/?tag=a%20b", headers={"Host": "evil.example"})
        assert (answer.status_code, answer.headers["location"]) == (307, "/calls?tag=a%20b")
        assert client.get("http://testserver//evil.example/", headers={"Host": "evil.example"}).status_code == 404


def test_head_has_the_length_of_get_and_none_where_it_is_not_known(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.headers.update(bearer(service, "read", "export") | {"Accept-Encoding": "identity"})
    for path in ("/health", "/ready", "/openapi.json", "/api/v1/calls", "/sign-in", "/api/v1/calls.csv"):
        assert client.head(path).headers["content-length"] == client.get(path).headers["content-length"], path
    monkeypatch.setattr("api.web.json_api.downloads.ROWS_MADE_HERE_MAX", -1)
    assert "content-length" not in client.head("/api/v1/calls.csv").headers


class TestReadiness:
    def test_it_is_told_whether_callbacks_can_be_taken(self, client: TestClient, service: Service) -> None:
        assert (client.get("/ready").status_code, client.get("/ready").json()) == (200, {"ready": True, "waiting": 0})
        service.follower.state = ProcessState(0, "the event at position 1 cannot be projected")
        assert (client.get("/ready").status_code, client.get("/health").status_code) == (200, 200)

    def test_it_is_not_while_nothing_can_be_recorded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("domain.log.sqlite.connections.LOCK_TIMEOUT_SECONDS", 0.05)
        service = asgi.service_at(tmp_path)
        with asgi.running(service) as client:
            with write_lock(service.ledger.url):
                get(client, signed(callstatus()))
                answer = client.get("/ready")
            assert (answer.status_code, answer.json()["ready"]) == (503, False)
            assert int(answer.headers["retry-after"]) > 0


def test_a_page_with_its_fragments_is_one_line_of_the_audit_log(
    client: TestClient, service: Service, clock: asgi.Clock
) -> None:
    sign_in(client, service, "read")

    def viewed(*paths: str) -> int:
        before = len(audit_page(service.authenticator.store))
        assert [client.get(path).status_code for path in paths] == [200] * len(paths)
        return len(audit_page(service.authenticator.store)) - before

    fragments = [f"/fragments/calls/{part}?tag=a" for part in ("rows", "sums", "facets")]
    assert viewed("/calls?tag=a&sort=opened_at", *fragments) == 1
    assert viewed("/fragments/calls/sums?tag=b", "/fragments/cdrs/sums?tag=a") == 2
    assert viewed("/events", "/fragments/operator-events/facets") == 1
    clock.at += 61_000_000
    assert viewed("/fragments/calls/sums?tag=a") == 1
