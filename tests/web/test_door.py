"""At the door: other ways to call that mean the same, and samples of those that do not (SPEC 9.4)."""

import stat
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.application.request_samples import (
    KEPT,
    WRITTEN_A_SECOND,
    RequestSample,
    RequestSamples,
    read_samples,
    shown_content,
)
from api.service import Service
from domain.notices.notification import FORM
from domain.times import SECOND
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get, is_problem, quarantined
from tests.support.command import run
from tests.support.notices import OTHER_KEY, callstatus, priced_cdr, signature, signed
from tests.support.web_users import sign_in

QUERY = signed(callstatus())
RECORDED = {"status": "recorded", "position": 1}


def fields(pairs: list[tuple[str, str]]) -> dict[str, tuple[None, str]]:
    return {name: (None, value) for name, value in pairs}


def kept(service: Service) -> list[RequestSample]:
    service.samples.close()
    return read_samples(service.samples_file)


class TestWhatMeansTheSame:
    @pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": FORM}])
    def test_a_post_without_a_body_needs_no_content_type(self, client: TestClient, headers: dict[str, str]) -> None:
        assert client.post(f"/notify?{QUERY}", headers=headers).json() == RECORDED

    @pytest.mark.parametrize("path", ["/notify/", "//notify", "/notify///", "///notify//"])
    def test_a_slash_at_the_end_and_repeated_slashes_lead_to_the_path(self, client: TestClient, path: str) -> None:
        assert client.request("GET", f"http://testserver{path}?{QUERY}").json() == RECORDED

    def test_a_multipart_form_with_text_fields_is_a_form(self, client: TestClient, service: Service) -> None:
        said = [*callstatus(tag="Zürich & Söhne"), ("sig", signature(callstatus(tag="Zürich & Söhne")))]
        assert client.post("/notify", files=fields(said)).json() == RECORDED
        assert [event.params for event in asgi.notices(service)] == [said]

    def test_the_same_as_a_form_and_as_a_query_is_a_duplicate(self, client: TestClient) -> None:
        get(client, QUERY)
        said = [*callstatus(), ("sig", signature(callstatus()))]
        assert client.post("/notify", files=fields(said)).json()["status"] == "duplicate"

    def test_a_multipart_form_is_quarantined_as_a_query_and_can_be_reprocessed(
        self, tmp_path: Path, client: TestClient, service: Service
    ) -> None:
        said = [*callstatus(tag="a b"), ("sig", signature(callstatus(tag="a b"), OTHER_KEY))]
        assert client.post("/notify", files=fields(said)).status_code == 403
        (entry,) = quarantined(service)
        assert entry.raw == signed(callstatus(tag="a b"), OTHER_KEY).encode()
        later = asgi.service_at(tmp_path, TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert later.ledger.reprocess(entry).position == 1  # type: ignore[union-attr]
        later.ledger.close()

    def test_head_is_a_probe_that_keeps_nothing(self, client: TestClient, service: Service) -> None:
        answer = client.head(f"/notify?{QUERY}")
        assert (answer.status_code, answer.content, service.ledger.head()) == (200, b"", 0)
        assert service.notify.counts["probes"] == 1


class TestWhatIsRefusedLeavesASample:
    def test_a_file_field(self, client: TestClient, service: Service) -> None:
        answer = client.post("/notify", files={"f": ("x.txt", b"tm")})
        assert is_problem(answer, 415, "a field is a file")
        (sample,) = kept(service)
        assert (sample.status, sample.method, sample.path) == (415, "POST", "/notify")
        assert sample.content_type.startswith("multipart/form-data; boundary=")
        assert b'filename="x.txt"' in sample.content

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\ntm", "multipart/form-data; boundary=x"),
            (b"--x--", "multipart/form-data"),
        ],
    )
    def test_a_form_that_is_cut_off_or_has_no_boundary(
        self, client: TestClient, body: bytes, content_type: str
    ) -> None:
        answer = client.post("/notify", content=body, headers={"content-type": content_type})
        assert is_problem(answer, 400, "the form cannot be read")

    def test_another_content_type_with_the_body_that_was_never_read(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        client.post("/notify?a=1", content=b'{"f": "tm"}', headers={"content-type": "application/json"})
        (sample,) = kept(service)
        assert (sample.at, sample.status, sample.content_type) == (clock.at, 415, "application/json")
        assert sample.content.startswith(b"POST /notify?a=1\r\n")
        assert sample.content.endswith(b'\r\n\r\n{"f": "tm"}')
        assert sample.address == "testclient"

    def test_each_kind_of_refusal_before_the_signature_does(self, client: TestClient, service: Service) -> None:
        client.put("/notify", content=b"x")
        get(client, "f=other")
        get(client, "x" * 17_000)
        client.post("/notify", content=b"x" * 17_000, headers={"content-type": FORM})
        client.get("/Notify.php")
        client.get("/elsewhere?f=tm")
        assert sorted(sample.status for sample in kept(service)) == [400, 404, 404, 405, 413, 414]

    def test_no_other_answer_does(self, client: TestClient, service: Service) -> None:
        get(client, QUERY)
        get(client, signed(callstatus(), OTHER_KEY))
        get(client, signed(priced_cdr(srccharge="free")))
        client.get("/elsewhere")
        assert kept(service) == []

    def test_it_says_nothing_of_what_signs_somebody_in_and_hides_passwords(
        self, client: TestClient, service: Service
    ) -> None:
        secret = {"authorization": "Bearer s3cret", "cookie": "session=s3cret", "content-type": "text/xml"}
        client.post("/notify?src=sip%3Abob%3As3cret%40pbx", content=b"src=sip:bob:s3cret@pbx", headers=secret)
        (sample,) = kept(service)
        assert "s3cret" not in shown_content(sample)
        assert "sip%3Abob%3A%2A%2A%2A%40pbx" in shown_content(sample)

    def test_the_first_16_kib_are_kept(self, client: TestClient, service: Service) -> None:
        client.post("/notify", content=b"y" * 200_000, headers={"content-type": "text/plain"})
        assert [len(sample.content) for sample in kept(service)] == [16 * 1024]


def sample_at(at: int) -> RequestSample:
    return RequestSample(at, 405, "a reason", "PUT", "/notify", "", "10.0.0.1", b"PUT /notify")


class TestTheFileOfSamples:
    def test_keeps_the_last_hundred(self, tmp_path: Path) -> None:
        samples = RequestSamples(tmp_path / "samples.db")
        for number in range(KEPT + 5):
            samples.add(sample_at(number * SECOND))
        samples.close()
        found = read_samples(tmp_path / "samples.db")
        assert (len(found), found[0].at, found[-1].at) == (KEPT, (KEPT + 4) * SECOND, 5 * SECOND)

    def test_takes_ten_a_second_from_all_processes_together(self, tmp_path: Path) -> None:
        for _ in range(2):
            samples = RequestSamples(tmp_path / "samples.db")
            for number in range(WRITTEN_A_SECOND - 2):
                samples.add(sample_at(number))
            samples.close()
        assert len(read_samples(tmp_path / "samples.db")) == WRITTEN_A_SECOND

    def test_can_be_read_by_its_owner_only(self, tmp_path: Path) -> None:
        samples = RequestSamples(tmp_path / "samples.db")
        samples.add(sample_at(1))
        samples.close()
        assert stat.S_IMODE((tmp_path / "samples.db").stat().st_mode) == 0o600

    def test_can_be_emptied_so_that_nothing_of_them_is_left(self, tmp_path: Path) -> None:
        file = tmp_path / "samples.db"
        assert run("quarantine", "samples", "--delete", TRINGLEDGER_SAMPLES=str(file)).err == "deleted 0 samples\n"
        samples = RequestSamples(file)
        samples.add(sample_at(1))
        samples.close()
        content = read_samples(file)[0].content
        assert content in file.read_bytes()
        said = run("quarantine", "samples", "--delete", TRINGLEDGER_SAMPLES=str(file))
        assert (said.code, said.err, read_samples(file)) == (0, "deleted 1 samples\n", [])
        assert content not in file.read_bytes()

    def test_may_be_lost(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        samples = RequestSamples(tmp_path / "nowhere" / "samples.db")
        samples.add(sample_at(1))
        samples.add(sample_at(2))
        samples.close()
        assert caplog.text.count("cannot be written") == 1
        assert read_samples(tmp_path / "nowhere" / "samples.db") == []


class TestWhoSeesSamples:
    def test_a_command_shows_them(self, tmp_path: Path, client: TestClient, service: Service) -> None:
        client.put("/notify?src=1858", content=b"x")
        kept(service)
        store = f"sqlite:///{tmp_path}/ledger.db"
        (found,) = run("quarantine", "samples", "--format", "json", "--store", store).json()
        assert (found["status"], found["method"]) == (405, "PUT")
        assert found["content"].startswith("PUT /notify?src=1858\r\n")
        said = run("quarantine", "samples", "--store", store)
        assert (said.code, said.err, "PUT /notify?src=1858" in said.out) == (0, "1 samples\n", True)

    @pytest.mark.parametrize(("roles", "seen"), [(("read", "pii"), True), (("read", "operate"), False)])
    def test_the_page_shows_them_to_those_who_may_see_numbers(
        self, tmp_path: Path, roles: tuple[str, ...], *, seen: bool
    ) -> None:
        service = asgi.service_at(tmp_path)
        with TestClient(service.app, base_url="http://ledger.test") as client:
            client.put("/notify?src=1858", content=b"x")
            service.samples.close()
            assert run("rebuild", "--store", service.ledger.url, "--jobs", "1").code == 0
            sign_in(client, service, *roles)
            assert ("PUT /notify?src=1858" in client.get("/quarantine").text) is seen
