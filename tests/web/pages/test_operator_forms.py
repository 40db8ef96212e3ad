"""What operators do on pages: resolve, reprocess, rebuild; and what they are told where that cannot be."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from starlette.testclient import TestClient

from api.application.bulk_jobs.bulk_job import REPROCESS_QUARANTINE, RESOLVE_EXCEPTIONS, STOPPED
from api.application.bulk_jobs.bulk_runner import PURPOSE
from api.processes.jobs import (
    CHECK,
    DONE,
    FACT,
    FAILED,
    REBUILD,
    RUNNING,
    SILENT_MAX,
    BackgroundJob,
    JobRefused,
    Jobs,
    known_jobs,
)
from api.service import Service
from domain import times
from domain.notices.signature import Keyring
from domain.times import DAY
from projections.building import certificate
from projections.building.catch_up import catch_up
from projections.schema.tables import EXCEPTIONS
from projections.stores.generations import open_current
from tests.support import web_users as users
from tests.support.asgi_service import eventually
from tests.support.ledgers import opened, record
from tests.support.notices import FORMULA, KEY, SECOND, START, priced_cdr
from tests.support.page_ledger import ANOTHER_KEY, HOSTILE, fill, open_shop

JOB_SECONDS_MAX = 60


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[TestClient, Service]]:
    with open_shop(tmp_path) as (client, service):
        users.sign_in(client, service, "operate")
        yield client, service


def post(client: TestClient, path: str, **form: object) -> dict[str, str]:
    """Send a form as a page of ours would; return what the page that it leads to is told to say."""
    answer = client.post(path, data={"csrf_token": users.csrf_token(client), **form}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def resolutions(service: Service) -> dict[int, tuple[str, str]]:
    with service.read_models.session() as room:
        rows = room.connection.execute(EXCEPTIONS.select().where(EXCEPTIONS.c.flag == "repeated-cdr"))
        return {row.position: (row.resolved_by, row.resolution) for row in rows}


def test_an_exception_is_resolved_with_a_reason_and_opened_again(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    first, second, *_ = [f"repeated-cdr:{position}" for position in resolutions(service)]
    form = {"exception": [first, second], "reason": HOSTILE, "back": "/exceptions?flag=repeated-cdr"}
    said = post(client, "/exceptions/resolve", **form, do="resolve")
    assert (said["flag"], said["done"]) == ("repeated-cdr", "2 resolved")
    resolved = [each for each in resolutions(service).values() if each[1]]
    assert [reason for _, reason in resolved] == [HOSTILE, HOSTILE]
    assert "<script>" not in client.get("/exceptions").text
    post(client, "/exceptions/resolve", **form | {"exception": [first]}, do="reopen")
    assert len([each for each in resolutions(service).values() if each[1]]) == 1


def test_a_run_of_suspects_is_shown_first_with_its_twins_and_settled_with_a_reason(
    shop: tuple[TestClient, Service],
) -> None:
    client, service = shop
    yesterday = times.now() - START - DAY
    with opened(service.ledger.url) as ledger:
        for at in (yesterday - DAY, yesterday):
            calls = (
                priced_cdr(at + place * SECOND, tag="again", src=place, destduration=7 + place) for place in range(3)
            )
            record(ledger, *calls)
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
    page = client.get("/exceptions").text
    assert ">3</data> calls were perhaps sent again" in page
    assert page.index("Settle the run") < page.index("Reason for the chosen ones")
    assert "They equal calls 1 d earlier." in page
    (first,) = re.findall(r'name="run" value="([0-9]+)"', page)
    assert (
        post(client, "/exceptions/resolve", run=first, reason="they took place", do="resolve")["done"] == "3 resolved"
    )
    assert "perhaps sent again" not in client.get("/exceptions").text


@pytest.mark.parametrize(
    ("form", "failed"),
    [
        ({"reason": "seen"}, "none is chosen"),
        ({"exception": "repeated-cdr:1", "reason": "seen"}, "there is no exception"),
        ({"exception": "repeated-cdr:999999999", "reason": "seen"}, "999999999"),
        ({"exception": "missing-opening:1", "reason": " "}, "expected 1 to 2000 characters"),
    ],
)
def test_what_cannot_be_resolved_is_said(shop: tuple[TestClient, Service], form: dict[str, str], failed: str) -> None:
    client, service = shop
    before = service.ledger.head()
    assert failed in post(client, "/exceptions/resolve", **form)["failed"]
    assert service.ledger.head() == before


def test_a_notice_is_reprocessed_once_its_cause_is_mended(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    form = {"entry": ["2", "3"], "do": "reprocess", "back": "/quarantine/3"}
    assert post(client, "/quarantine/do", **form)["failed"].startswith("2 still invalid")
    service.ledger._keyring = Keyring(FORMULA, [KEY, ANOTHER_KEY])
    said = post(client, "/quarantine/do", **form)
    assert (said["done"], said["failed"]) == ("1 recorded, position 175", said["failed"])
    assert said["failed"].startswith("1 still invalid, the last of them notice 2: srccharge=")
    assert "/search?q=175" in client.get("/quarantine/3").text
    assert 'href="/calls?tag=late"' in client.get("/search?q=late").text


def test_a_notice_is_resolved_with_a_reason_and_waits_no_more(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    assert "2000 characters" in post(client, "/quarantine/do", entry=["1", "2", "3"], do="resolve", reason="")["failed"]
    assert post(client, "/quarantine/do", entry=["1", "2", "3"], do="resolve", reason="ours")["done"] == "3 resolved"
    assert list(service.ledger.store.quarantined(settled=False)) == []
    assert "The quarantine is empty" in client.get("/quarantine").text
    assert 'href="/quarantine/1"' in client.get("/quarantine?settled=1").text


def test_a_form_without_the_sessions_token_does_nothing(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    before = service.ledger.head()
    answer = client.post("/quarantine/do", data={"entry": "1", "do": "resolve", "reason": "ours"})
    assert answer.status_code == 403
    assert service.ledger.head() == before


@pytest.mark.parametrize("kind", [REBUILD, CHECK])
def test_a_job_runs_outside_the_request_and_says_what_came_of_it(shop: tuple[TestClient, Service], kind: str) -> None:
    client, service = shop
    assert post(client, "/operations/jobs", kind=kind)["done"] == f"{kind} has begun"
    eventually(lambda: service.jobs.known()[0].state != RUNNING, JOB_SECONDS_MAX)
    job = service.jobs.known()[0]
    assert (job.kind, job.state, job.failure, job.found) == (kind, DONE, "", 0)
    assert (job.done, job.total, job.position) == (174, 174, 174)
    assert (certificate.load_certificate(service.ledger) is not None) == (kind == REBUILD)
    page = client.get("/operations").text
    assert "the read models agree with the log, up to position 174" in page


def test_one_job_runs_at_a_time_and_one_that_is_silent_has_ended(tmp_path: Path) -> None:
    moment = [1_000 * SECOND]
    with opened(f"sqlite:///{tmp_path}/ledger.db") as ledger, closing(Jobs(ledger, lambda: moment[0])) as jobs:
        running = BackgroundJob(id="1", kind=REBUILD, by="ann", state=RUNNING, started_at=moment[0], seen_at=moment[0])
        with ledger.store.transaction() as log:
            log.set_fact(FACT, msgspec.json.encode([running]).decode())
        with pytest.raises(JobRefused, match="a rebuild is running, started by ann"):
            jobs.start(CHECK, "bob")
        moment[0] += SILENT_MAX + 1
        assert known_jobs(ledger, moment[0])[0].state == FAILED
        with pytest.raises(JobRefused, match="expected rebuild or check"):
            jobs.start("dance", "bob")


def test_a_job_ends_with_the_service_that_started_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    fill(url)
    with opened(url) as ledger:
        jobs = Jobs(ledger)
        started = jobs.start(CHECK, "ann")
        process = jobs._processes[started.id]
        jobs.close()
        assert process.poll() is not None
        eventually(lambda: not jobs._processes)
        # Whether it was done before or cut off, nobody takes it for one that still runs.
        assert known_jobs(ledger, started.seen_at + 10 * SILENT_MAX)[0].state in (DONE, FAILED)


def test_all_notices_that_fit_the_filters_of_the_page_are_resolved(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    page = client.get("/quarantine?cause=wrong+signature").text
    assert re.findall(r'href="/quarantine/(\d+)"', page) == ["3", "2"]
    assert "up to 31 Jan 2038 24:00, UTC" in client.get("/quarantine?through=2038-01").text
    form = {"fitting": "1", "cause": "wrong signature", "tag": "lat*", "do": "resolve", "reason": "ours"}
    page = job_page(client, "/quarantine/do", **form)
    assert ("<dt>Resolved</dt><dd>" in page, "lat*" in page, "ours" in page, "Stop it" in page) == (
        *(True, True, True, False),
    )
    assert [each.id for each in service.ledger.store.quarantined(settled=False)] == [1, 2]
    counts = client.get("/fragments/quarantine?through=2038-01").text
    assert re.findall(r'<a class="tile" href="([^"]+)"', counts) == [
        "/quarantine?through=2038-01&amp;cause=broken+srccharge",
        "/quarantine?through=2038-01&amp;cause=wrong+signature",
    ]


def test_all_exceptions_that_fit_the_filters_of_the_page_are_resolved(shop: tuple[TestClient, Service]) -> None:
    client, _ = shop
    form = {"fitting": "1", "flag": "repeated-cdr", "tag": "sal*", "do": "resolve", "reason": "agreed"}
    assert "<dt>Resolved</dt>" in job_page(client, "/exceptions/resolve", **form)
    (job,) = client.get("/api/v1/bulk-jobs").json()["items"]
    assert (job["kind"], job["filters"], job["left"]) == (
        RESOLVE_EXCEPTIONS,
        {"flag": "repeated-cdr", "tag": "sal*"},
        0,
    )
    assert job["outcomes"] == {"resolved": job["total"]}
    assert job["total"] > 1
    assert post(client, "/exceptions/resolve", **form)["failed"].startswith("nothing to do")
    assert f'<a href="/bulk-jobs/{job["id"]}">' in client.get("/bulk-jobs").text
    assert "has ended: done" in post(client, f"/bulk-jobs/{job['id']}/stop")["failed"]
    assert client.get("/bulk-jobs/none").status_code == 404


def test_a_job_that_nobody_does_yet_is_stopped_on_its_page_and_by_the_api(shop: tuple[TestClient, Service]) -> None:
    client, service = shop
    with closing(service.ledger.store.lock(PURPOSE)) as elsewhere:
        assert elsewhere.acquire()
        for is_page in (True, False):
            wanted = {"kind": REPROCESS_QUARANTINE, "cause": "wrong signature"}
            foreseen = client.post("/api/v1/bulk-jobs?dry_run=true", json=wanted, headers=token(client)).json()
            job = client.post("/api/v1/bulk-jobs", json=wanted, headers=token(client)).json()
            assert (foreseen["dry_run"], foreseen["total"], job["dry_run"], job["total"]) == (True, 2, False, 2)
            page = client.get(f"/bulk-jobs/{job['id']}").text
            assert ("Stop it" in page, '<meta http-equiv="refresh"' in page) == (True, True)
            assert "One is running" in client.get("/fragments/operations").text
            if is_page:
                assert post(client, f"/bulk-jobs/{job['id']}/stop")["done"] == "stopped after 0 of 2"
            else:
                answer = client.post(f"/api/v1/bulk-jobs/{job['id']}/stop", headers=token(client))
                assert answer.json()["state"] == STOPPED
    for wrong, name in (({"flag": "red", "reason": "no"}, "flag"), ({}, "reason")):
        wanted = {"kind": RESOLVE_EXCEPTIONS, **wrong}
        refused = client.post("/api/v1/bulk-jobs", json=wanted, headers=token(client))
        assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, name)


def token(client: TestClient) -> dict[str, str]:
    return {"x-csrf-token": users.csrf_token(client)}


def job_page(client: TestClient, path: str, **form: object) -> str:
    """Start a job by a form as a page of ours would; return its page once it has ended."""
    data = {"csrf_token": users.csrf_token(client), **form}
    answer = client.post(path, data=data, follow_redirects=False)
    where = answer.headers["location"]
    assert re.fullmatch("/bulk-jobs/[0-9a-f-]{36}", where)
    eventually(lambda: 'data-bulk-job="done"' in client.get(f"/fragments{where}/progress").text)
    return client.get(where).text
