"""Every answer of every route, for who may not see numbers and for who may: nothing leaks, and no text becomes markup.

Routes that are added later are covered as they are; a path with a new kind of part must be told here what to fill in.
"""

import asyncio
import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from api import routes as table
from api.application.bulk_jobs import bulk_job
from api.application.bulk_jobs.bulk_job import REPROCESS_QUARANTINE, BulkJob, BulkOrder
from api.processes import jobs
from api.processes.jobs import BackgroundJob
from api.service import Service
from api.web.auth.guard import GuardedRoute, Role
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get
from tests.support.notices import OTHER_KEY, callstatus, priced_cdr, signed
from tests.support.web_users import added

NUMBER, MAILBOX, KEYED, FILE = "18585559876", "secret.person", "80416253", "message-from-ann"
SECRETS = (NUMBER, NUMBER[4:], "858 555 9876", MAILBOX, KEYED, FILE)
HOSTILE = "<script>alert('tag')</script>\"'&\u202eabc"
BYTES_MAX = 200_000
# By the name of a path's part; what the ledger below has.
PARTS = {
    "account": [HOSTILE],
    "call_id": ["CALL"],
    "digest": [],
    "entry": ["1", "2"],
    "flag": ["repeated-cdr", "missing-opening", "unrecognised-status"],
    "form": ["csv", "json"],
    "format": ["csv", "json", "ndjson", "parquet"],
    "id": ["CALL"],
    "job_id": ["00000000-0000-4000-8000-000000000001"],
    "model": ["calls", "cdrs", "voicemails", "channels", "operator-events"],
    "name": [],
    "part": ["sums", "facets"],
    "path": ["0/000", "entries/000.p/3"],
    "period": ["2026-10"],
    "position": [str(position) for position in range(1, 14)],
    "version": ["1"],
}
JOB = BackgroundJob(
    id=PARTS["job_id"][0], kind=jobs.CHECK, by=HOSTILE, state=jobs.DONE, started_at=1, seen_at=2, failure=HOSTILE
)
BULK_JOB = BulkJob(
    id=PARTS["job_id"][0],
    order=BulkOrder(
        kind=REPROCESS_QUARANTINE, wanted={"tag": HOSTILE}, by=HOSTILE, reason=f"{NUMBER} {HOSTILE}", at=1, until=9
    ),
    total=9,
    state=bulk_job.FAILED,
    refused={HOSTILE: 1},
    stopped_by=HOSTILE,
    failure=f"{NUMBER} {HOSTILE}",
)
QUERIES = ("", f"number={NUMBER}", "q=" + HOSTILE.replace("&", "%26"), "settled=1&whole=1&at=3")


class Answer(NamedTuple):
    """What a route answered, as text."""

    status: int
    media: str
    text: str


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return asgi.service_at(tmp_path_factory.mktemp("every"), follows=True)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    """Run a service whose ledger has a secret in whatever can hold one, and hostile text wherever a text can be."""
    with asgi.running(service) as running:
        line = {"src": NUMBER, "tag": HOSTILE}
        for query in (
            callstatus(r=1, **line),
            callstatus(r=2, **line, status="USERDTMPINPUT", p=KEYED),
            callstatus(r=3, **line, status=HOSTILE),
            callstatus(r=4, **line, status="COMPLETED", callerid="+1 858 555 9876"),
            priced_cdr(r=5, **line),
            priced_cdr(r=6, **line),
            callstatus(r=7, **line, type="voicemail", email=f"{MAILBOX}@example.com", voicemail=f"{FILE}.wav"),
            callstatus(r=8, **line, type="deletechannel"),
            callstatus(r=9, **line, type=HOSTILE),
            priced_cdr(r=10, **line, srccharge=f"call {NUMBER}"),
        ):
            assert get(running, signed(query)).status_code in {200, 202}, query
        assert (
            get(
                running, signed(callstatus(r=11, **line, email=f"{MAILBOX}@example.com", p=KEYED), OTHER_KEY)
            ).status_code
            == 403
        )
        with service.ledger.operator_session("ann", f"{NUMBER} {HOSTILE}") as session:
            session.resolve_exception("repeated-cdr", 6)
            session.adjust_account(HOSTILE, 1_000_000, "2026-10")
            session.publish_tariff('[[rules]]\ntag = "*"\nmarkup_percent = 20')
        with service.ledger.store.transaction() as log:
            log.set_fact(jobs.FACT, msgspec.json.encode([JOB]).decode())
            log.set_fact(bulk_job.FACT, msgspec.json.encode([BULK_JOB]).decode())
        asgi.eventually(lambda: running.get("/health").json()["read_models"]["lag"] == 0)
        yield running


@pytest.fixture(scope="module")
def call_id(service: Service, client: TestClient) -> str:
    del client
    return str(service.ledger.store.page(0, 1, 1)[0].stream_id)


def headers(service: Service, *roles: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {added(service, *roles)[1]}".encode())]


@pytest.fixture(scope="module")
def stranger(service: Service, client: TestClient) -> list[tuple[bytes, bytes]]:
    del client
    return headers(service, "export", "operate")


@pytest.fixture(scope="module")
def seer(service: Service, client: TestClient) -> list[tuple[bytes, bytes]]:
    del client
    return headers(service, *Role)


LOOKS = [guarded for guarded in table.guarded() if "GET" in guarded.methods and guarded.required_role is not None]


def addresses(guarded: GuardedRoute, call_id: str) -> Iterator[str]:
    found = [guarded.path]
    for name in re.findall(r"{(\w+)(?::\w+)?}", guarded.path):
        assert name in PARTS, f"say in PARTS what {name!r} of {guarded.path} may be"
        found = [
            re.sub(rf"{{{name}(:\w+)?}}", part.replace("\\", r"\\"), path) for path in found for part in PARTS[name]
        ]
    for path in found:
        yield path.replace("CALL", call_id)


def asked(client: TestClient, path: str, query: str, headers: list[tuple[bytes, bytes]]) -> Answer:
    """Ask for an address, and hang up where the answer has no end."""
    sent: list[Any] = []
    hung_up = asyncio.Event()

    async def receive() -> Any:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if b"\ndata:" in message.get("body", b"") and named("content-type").startswith("text/event-stream"):
            hung_up.set()

    def named(name: str) -> str:
        return str(dict(sent[0]["headers"]).get(name.encode(), b"").decode())

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "server": ("testserver", 80),
        "client": ("192.0.2.1", 1),
        "scheme": "http",
    }
    assert client.portal
    client.portal.call(client.app, scope, receive, send)
    body = b"".join(part.get("body", b"") for part in sent[1:])
    media = named("content-type").partition(";")[0]
    if media == "application/vnd.apache.parquet":
        return Answer(200, media, str(parquet.read_table(io.BytesIO(body)).to_pylist()))
    return Answer(sent[0]["status"], media, body.decode())


@pytest.mark.parametrize("guarded", LOOKS, ids=lambda guarded: guarded.path)
class TestEveryPage:
    def test_shows_no_number_to_who_may_not_see_one(
        self, client: TestClient, call_id: str, stranger: list[tuple[bytes, bytes]], guarded: GuardedRoute
    ) -> None:
        for path in addresses(guarded, call_id):
            for query in ("", "settled=1&whole=1", "at=3"):
                answer = asked(client, path, query, stranger)
                assert answer.status < 500, answer.text
                leaked = [secret for secret in SECRETS if secret in answer.text]
                assert leaked == [], f"{path}?{query}: {answer.text[:20_000]}"

    def test_shows_a_text_as_a_text(
        self, client: TestClient, call_id: str, seer: list[tuple[bytes, bytes]], guarded: GuardedRoute
    ) -> None:
        for path in addresses(guarded, call_id):
            for query in QUERIES:
                answer = asked(client, path, query, seer)
                assert answer.status < 500, answer.text
                if answer.media == "text/html":
                    assert "<script>alert" not in answer.text, f"{path}?{query}"
                    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:|\sstyle=", answer.text), path


def test_numbers_are_there_to_be_seen(client: TestClient, call_id: str, seer: list[tuple[bytes, bytes]]) -> None:
    """Else the tests above would prove nothing."""
    seen: dict[str, set[str]] = {secret: set() for secret in SECRETS}
    for guarded in LOOKS:
        for path in addresses(guarded, call_id):
            text = asked(client, path, "settled=1", seer).text
            for secret in SECRETS:
                if secret in text:
                    seen[secret].add(guarded.path)
    assert all(seen[secret] for secret in (NUMBER, MAILBOX, KEYED, FILE)), seen
    assert {"/", "/live/events", "/calls", "/cdrs", "/voicemails", "/quarantine/{entry:int}"} <= seen[NUMBER] | seen[
        MAILBOX
    ]
