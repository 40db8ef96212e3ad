"""Callbacks while the store is away: they wait in the spool, are answered so, and become events once, in their order."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.application.spool import spool_drainer
from api.application.spool.spool_directory import SpoolDirectory
from api.application.spool.spool_file import SpoolFile
from api.service import Service
from domain.errors import WrongUsage
from tests.support import asgi_service as asgi
from tests.support.asgi_service import eventually
from tests.support.notices import OTHER_KEY, callstatus, signed
from tests.support.web_users import sign_in
from tests.support.write_lock import write_lock


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.log.sqlite.connections.LOCK_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(spool_drainer, "LOOK_SECONDS", 0.02)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


@pytest.fixture
def service(tmp_path: Path, spool: Path, clock: asgi.Clock) -> Service:
    return spooling(tmp_path, spool, clock)


def spooling(path: Path, spool: Path, clock: asgi.Clock, **environment: str) -> Service:
    return asgi.service_at(path, clock, follows=False, TRINGLEDGER_SPOOL=str(spool), **environment)


@pytest.fixture
def away(service: Service) -> Iterator[None]:
    """Have the store away for the length of the test."""
    with write_lock(service.ledger.url):
        yield


def sent(client: TestClient, *numbers: int) -> list[tuple[int, object]]:
    answers = [client.get(f"/notify?{signed(callstatus(r=number))}") for number in numbers]
    return [(answer.status_code, answer.json().get("status")) for answer in answers]


def logged(service: Service) -> list[tuple[str, int]]:
    """Return of each event its nonce and when it was received."""
    return [(dict(notice.params)["r"], notice.received_at) for notice in asgi.notices(service)]


SPOOLED = (200, "spooled")


def test_they_become_events_in_their_order_with_the_time_at_which_they_came(
    client: TestClient, service: Service, clock: asgi.Clock
) -> None:
    assert sent(client, 0) == [(200, "recorded")]
    with write_lock(service.ledger.url):
        for _ in range(3):
            clock.at += 1_000_000
            assert sent(client, clock.at) == [SPOOLED]
    eventually(lambda: service.ledger.head() == 4)
    came = [asgi.NOON + step * 1_000_000 for step in (1, 2, 3)]
    assert logged(service) == [("0", asgi.NOON), *((str(at), at) for at in came)]
    eventually(lambda: client.get("/health").json()["spool"]["callbacks"] == 0)
    assert sent(client, 9) == [(200, "recorded")]


def test_operations_show_what_waits(client: TestClient, service: Service) -> None:
    sign_in(client, service, "read")
    with write_lock(service.ledger.url):
        sent(client, 1, 2)
        page = client.get("/operations").text
    assert re.search(r'In the spool</span><span class="much"><data class="count" value="2">', page)


@pytest.mark.usefixtures("away")
class TestWhileTheStoreIsAway:
    def test_the_same_callback_is_spooled_once(self, client: TestClient, spool: Path) -> None:
        assert sent(client, 1, 1) == [SPOOLED, SPOOLED]
        assert waiting(spool) == 1

    def test_a_wrong_signature_is_not_spooled(self, client: TestClient, spool: Path) -> None:
        assert client.get(f"/notify?{signed(callstatus(), OTHER_KEY)}").status_code == 503
        assert waiting(spool) == 0

    def test_a_broken_value_is_named(self, client: TestClient, spool: Path) -> None:
        answer = client.get(f"/notify?{signed(callstatus(srcduration='x'))}")
        assert (answer.status_code, answer.json()["parameter"], answer.json()["spooled"]) == (
            202,
            "srcduration",
            True,
        )
        assert waiting(spool) == 1

    def test_health_and_readiness_say_that_callbacks_are_taken(self, client: TestClient) -> None:
        sent(client, 1, 2)
        health = client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["failure"]) == (200, "degraded", None)
        spooled = health.json()["spool"]
        assert (spooled["callbacks"], spooled["oldest_at"], spooled["failure"]) == (
            2,
            "2026-10-15T12:00:00.000000Z",
            None,
        )
        assert client.get("/ready").status_code == 200

    def test_metrics_count_them(self, client: TestClient, service: Service) -> None:
        sent(client, 1, 2)
        client.get(f"/notify?{signed(callstatus(srcduration='x'))}")
        counts = {(each.outcome, each.code): each.count for each in service.report().callbacks}
        assert (counts["spooled", "200"], counts["spooled", "202"], counts["unkept", "503"]) == (2, 1, 0)
        assert service.report().parts["intake"]


def waiting(spool: Path) -> int:
    (file,) = spool.glob("*.spool")
    return SpoolDirectory(spool, file.name[:36], "any").totals().callbacks


class TestAFullSpool:
    @pytest.fixture
    def service(self, tmp_path: Path, spool: Path, clock: asgi.Clock) -> Service:
        return spooling(tmp_path, spool, clock, TRINGLEDGER_SPOOL_MAX_BYTES=str(1 << 17))

    def test_what_finds_no_room_is_refused_and_all_that_was_taken_is_recorded(
        self, client: TestClient, service: Service
    ) -> None:
        tags = ["x" * 250 + str(number) for number in range(500)]
        with write_lock(service.ledger.url):
            answers = [client.get(f"/notify?{signed(callstatus(tag=tag, src='y' * 250))}").status_code for tag in tags]
            taken = answers.count(200)
            assert answers == [200] * taken + [503] * (500 - taken)
            assert 100 < taken < 500
            health = client.get("/health")
            assert (health.status_code, "the spool is full" in health.json()["failure"]) == (503, True)
            assert client.get("/ready").status_code == 503
        eventually(lambda: service.ledger.head() == taken)
        assert [dict(notice.params)["tag"] for notice in asgi.notices(service)] == tags[:taken]


class TestTheNextProcess:
    def test_it_records_what_waits_first(self, tmp_path: Path, spool: Path, clock: asgi.Clock) -> None:
        first = spooling(tmp_path, spool, clock)
        with write_lock(first.ledger.url), asgi.running(first) as client:
            assert sent(client, 1, 2) == [SPOOLED, SPOOLED]
        second = spooling(tmp_path, spool, clock)
        with asgi.running(second):
            eventually(lambda: second.ledger.head() == 2)
            assert [r for r, _ in logged(second)] == ["1", "2"]
        assert list(spool.iterdir()) == [], "an empty file is removed at the end"

    def test_a_key_that_was_retired_meanwhile_counts(self, tmp_path: Path, spool: Path, clock: asgi.Clock) -> None:
        first = spooling(tmp_path, spool, clock)
        with write_lock(first.ledger.url), asgi.running(first) as client:
            sent(client, 1)
        keys = {"TRINGME_PRIVATE_KEY": OTHER_KEY, "TRINGME_RETIRED_KEYS": "s3cr3t-private-key"}
        second = spooling(tmp_path, spool, clock, **keys)
        with asgi.running(second):
            eventually(lambda: second.ledger.head() == 1)

    def test_what_another_key_signed_is_in_quarantine(self, tmp_path: Path, spool: Path, clock: asgi.Clock) -> None:
        first = spooling(tmp_path, spool, clock)
        with write_lock(first.ledger.url), asgi.running(first) as client:
            sent(client, 1)
        second = spooling(tmp_path, spool, clock, TRINGME_PRIVATE_KEY=OTHER_KEY)
        with asgi.running(second):
            eventually(lambda: second.ledger.store.count_quarantined() == (1, 0))

    def test_it_drains_what_dead_processes_of_this_host_have_left(
        self, tmp_path: Path, spool: Path, clock: asgi.Clock
    ) -> None:
        first = spooling(tmp_path, spool, clock)
        with write_lock(first.ledger.url), asgi.running(first) as client:
            sent(client, 1, 2)
        (left,) = spool.glob("*.spool")
        left.rename(left.with_name(left.name.replace("-1.spool", "-7.spool")))
        second = spooling(tmp_path, spool, clock)
        with asgi.running(second):
            eventually(lambda: second.ledger.head() == 2)
        assert list(spool.iterdir()) == []

    def test_what_cannot_be_recorded_is_set_aside_and_keeps_nothing_waiting(
        self, tmp_path: Path, spool: Path, clock: asgi.Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = spooling(tmp_path, spool, clock)
        with write_lock(first.ledger.url), asgi.running(first) as client:
            sent(client, 1, 2, 3)
        second = spooling(tmp_path, spool, clock)
        record = second.ledger.record

        def choke(deliveries: list[object]) -> list[object]:
            if any(b"r=2&" in each.notification.raw for each in deliveries):  # type: ignore[attr-defined]
                raise ValueError
            return record(deliveries)  # type: ignore[arg-type, return-value]

        monkeypatch.setattr(second.ledger, "record", choke)
        with asgi.running(second) as client:
            eventually(lambda: second.ledger.head() == 2)
            eventually(lambda: client.get("/health").json()["spool"]["callbacks"] == 1)
        assert [name for name in spool.iterdir() if "-aside.spool" in name.name]


def test_a_directory_that_is_missing_is_refused(tmp_path: Path, clock: asgi.Clock) -> None:
    with pytest.raises(WrongUsage, match="nowhere' cannot be used: expected a directory that exists"):
        spooling(tmp_path, tmp_path / "nowhere", clock)


def test_a_spool_that_fails_lets_the_store_be_used(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> SpoolFile:
        raise OSError

    assert service.spool
    file = service.spool.callbacks._file
    assert isinstance(file, SpoolFile)
    with monkeypatch.context() as patch:
        patch.setattr(
            service.spool.callbacks, "_open_file", refused
        )  # Or the drainer opens it again before the next one.
        with write_lock(service.ledger.url):
            assert sent(client, 1) == [SPOOLED]
            file.is_trusted = False
        assert sent(client, 2) == [(200, "recorded")]
    eventually(lambda: service.ledger.head() == 2)
