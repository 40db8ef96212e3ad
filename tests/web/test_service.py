"""The service in process: its health, a store that cannot be written, and what its log says."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain.log.sqlite import connections as sqlite
from domain.notices.signature import fingerprint
from tests.support import asgi_service as asgi
from tests.support.callback_requests import SIZE_MAX_BYTES, filled, get, is_problem, quarantined
from tests.support.notices import KEY, OTHER_KEY, callstatus, signed
from tests.support.write_lock import write_lock


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a locked store at once; list it before ``service``."""
    monkeypatch.setattr(sqlite, "LOCK_TIMEOUT_SECONDS", 0.05)


class TestUnderAnotherPath:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Service:
        return asgi.service_at(tmp_path, TRINGLEDGER_NOTIFY_PATH="/hooks/tringme")

    def test_callbacks_are_taken_there_and_nowhere_else(self, client: TestClient) -> None:
        assert get(client, signed(callstatus()), "/hooks/tringme").status_code == 200
        assert get(client, signed(callstatus())).status_code == 404
        assert client.get("/health").json()["head"] == 1


@pytest.mark.usefixtures("impatient")
class TestWithALockedStore:
    @pytest.fixture
    def service(self, tmp_path: Path, clock: asgi.Clock, impatient: None) -> Service:  # noqa: ARG002 - comes first
        return asgi.service_at(tmp_path, clock)

    @pytest.mark.parametrize(
        "query", [signed(callstatus()), signed(callstatus(), OTHER_KEY), signed(callstatus(srcduration="x"))]
    )
    def test_nothing_is_answered_but_come_again(self, client: TestClient, service: Service, query: str) -> None:
        with write_lock(service.ledger.url):
            answer = get(client, query)
        assert is_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert (service.ledger.head(), quarantined(service)) == (0, [])
        assert service.notify.counts == {"refused with 503": 1}

    def test_the_answer_does_not_tell_strangers_where_the_store_is(self, client: TestClient, service: Service) -> None:
        with write_lock(service.ledger.url):
            assert service.ledger.path not in get(client, signed(callstatus())).text

    def test_once_it_is_free_the_same_notice_is_recorded(self, client: TestClient, service: Service) -> None:
        with write_lock(service.ledger.url):
            get(client, signed(callstatus()))
        assert get(client, signed(callstatus())).json() == {"status": "recorded", "position": 1}

    def test_what_is_no_notification_is_told_so_all_the_same(self, client: TestClient, service: Service) -> None:
        with write_lock(service.ledger.url):
            assert get(client, "f=xx").status_code == 400

    def test_a_full_queue_refuses_at_once(self, tmp_path: Path) -> None:
        service = asgi.service_at(tmp_path, TRINGLEDGER_QUEUE_MAX="3")

        async def scenario() -> None:
            async with asgi.started(service):
                with write_lock(service.ledger.url):
                    answers = await asyncio.gather(*(asgi.ask(service, signed(callstatus(r=r))) for r in range(8)))
                assert all(answer.status == 503 and answer.headers["retry-after"] for answer in answers)
                assert sum("already waiting" in answer.json()["detail"] for answer in answers) == 5
                assert (await asgi.ask(service, signed(callstatus(r=0)))).status == 200

        asgi.on_a_loop(scenario)

    def test_a_lock_of_a_moment_is_named_by_health_and_needs_nobody(self, client: TestClient, service: Service) -> None:
        with write_lock(service.ledger.url):
            get(client, signed(callstatus()))
            health = client.get("/health")
            assert (health.status_code, health.json()["status"], health.json()["failure"]) == (200, "degraded", None)
            assert "locked" in health.json()["locked"]
            assert client.get("/ready").status_code == 503
        get(client, signed(callstatus()))
        assert (client.get("/health").json()["status"], client.get("/health").json()["locked"]) == ("ok", None)

    def test_health_fails_where_a_lock_stays_until_something_can_be_recorded_again(
        self, client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.application.intake.LOCKED_SECONDS_MAX", 0.0)
        with write_lock(service.ledger.url):
            get(client, signed(callstatus()))
            health = client.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "failing")
            assert "locked" in health.json()["failure"]
        get(client, signed(callstatus()))
        assert (client.get("/health").status_code, client.get("/health").json()["failure"]) == (200, None)

    def test_health_recovers_without_a_callback_since_a_balancer_would_send_none(
        self, client: TestClient, service: Service
    ) -> None:
        with write_lock(service.ledger.url):
            get(client, signed(callstatus()))
        asgi.eventually(lambda: client.get("/health").status_code == 200)

    def test_the_trouble_and_its_end_are_in_the_log_once(
        self, client: TestClient, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            with write_lock(service.ledger.url):
                for number in range(3):
                    get(client, signed(callstatus(r=number)))
            for number in range(3):
                get(client, signed(callstatus(r=number)))
        said = [record.getMessage() for record in caplog.records if "callbacks are" in record.getMessage()]
        assert [text.partition(":")[0] for text in said] == [
            "callbacks are answered with 503",
            "callbacks are taken again",
        ]


class TestHealth:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Service:
        return asgi.service_at(tmp_path, follows=True)

    def test_it_is_ok_and_names_the_head(self, client: TestClient) -> None:
        get(client, signed(callstatus()))
        content = client.get("/health").json()
        assert (content["status"], content["head"], content["signature"]) == ("ok", 1, "md5-params")

    def test_the_read_models_follow_within_a_second(self, client: TestClient) -> None:
        get(client, signed(callstatus()))
        asgi.eventually(lambda: client.get("/health").json()["read_models"]["lag"] == 0)
        assert client.get("/health").json()["read_models"] == {
            "position": 1,
            "lag": 0,
            "failure": None,
            "standing_by": False,
        }

    def test_it_is_degraded_while_the_read_models_stand_still(self, client: TestClient, tmp_path: Path) -> None:
        get(client, signed(callstatus(r=1)))
        asgi.eventually(lambda: client.get("/health").json()["read_models"]["lag"] == 0)
        with closing(sqlite3.connect(tmp_path / "ledger.db.read-1.db")) as connection, connection:
            connection.execute("UPDATE progress SET schema = 99")
        asgi.eventually(lambda: client.get("/health").json()["status"] == "degraded")
        assert get(client, signed(callstatus(r=2))).status_code == 200
        health = client.get("/health")
        assert (health.status_code, health.json()["head"], health.json()["read_models"]["lag"]) == (200, 2, 1)
        assert "tringledger rebuild" in health.json()["read_models"]["failure"]


class TestWhenTheSenderHangsUp:
    def test_before_its_body_came_nothing_is_kept(self, tmp_path: Path) -> None:
        service = asgi.service_at(tmp_path)

        async def scenario() -> None:
            async with asgi.started(service):
                answer = await asgi.ask(service, method="POST", body=b"f=tm", gone=True)
                assert (answer.status, service.ledger.head()) == (0, 0)
                assert service.notify.counts == {"hung up": 1}
                assert (await asgi.ask(service, signed(callstatus()))).status == 200

        asgi.on_a_loop(scenario)


class TestAtTheEnd:
    def test_the_counts_since_start_are_in_the_log(self, service: Service, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO), asgi.running(service) as client:
            for query in (
                signed(callstatus()),
                signed(callstatus()),
                signed(callstatus(), OTHER_KEY),
                "f=xx",
                "",
                filled(SIZE_MAX_BYTES + 1),
            ):
                get(client, query)
        assert caplog.records[-1].getMessage() == (
            "stopped; since start: 1 duplicate, 1 quarantined, 1 recorded, 2 refused with 400, 1 refused with 414"
        )

    def test_what_was_sent_to_a_wrong_path_is_counted_too(self, service: Service) -> None:
        with asgi.running(service) as client:
            refused = client.get("/notfy?" + signed(callstatus()))
            client.get("/health")
        assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")
        assert refused.json()["detail"] == "there is nothing at /notfy: callbacks are taken at /notify"
        assert service.counts() == "1 refused with 404"

    def test_no_phone_number_and_no_signature_is_in_the_log(
        self, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG), asgi.running(service) as client:
            get(client, signed(callstatus()))
            get(client, signed(callstatus(tag="caf\udce9")))
        assert "18585550001" not in "".join(record.getMessage() for record in caplog.records if "api" in record.name)


class TestWithTheKeyInAFile:
    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        (tmp_path / "key").write_text(KEY)
        return {"TRINGME_PRIVATE_KEY": "", "TRINGME_PRIVATE_KEY_FILE": str(tmp_path / "key")}

    @pytest.fixture
    def service(self, tmp_path: Path, environment: dict[str, str]) -> Service:
        return asgi.service_at(tmp_path, follows=False, **environment)

    def test_another_key_is_taken_without_a_restart(
        self, client: TestClient, service: Service, environment: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        assert get(client, signed(callstatus(r=1), OTHER_KEY)).status_code == 403
        Path(environment["TRINGME_PRIVATE_KEY_FILE"]).write_text(OTHER_KEY)
        with caplog.at_level(logging.INFO):
            service.reload_keys(environment)
        assert get(client, signed(callstatus(r=2), OTHER_KEY)).status_code == 200
        assert get(client, signed(callstatus(r=3), KEY)).status_code == 403
        assert f"keys were read again: active {fingerprint(OTHER_KEY)}; retired none" in caplog.text
        assert OTHER_KEY not in caplog.text

    def test_the_keys_stay_if_the_file_cannot_be_used(
        self, client: TestClient, service: Service, environment: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        Path(environment["TRINGME_PRIVATE_KEY_FILE"]).write_text("")
        service.reload_keys(environment)
        assert get(client, signed(callstatus(r=1))).status_code == 200
        assert "the keys stay as they were: TRINGME_PRIVATE_KEY_FILE=" in caplog.text
