"""A clock that jumps by years while recording is noticed: by the status, by ``/health`` and in the log."""

import logging
from pathlib import Path

import pytest

from api.application.clock_check import find_clock_problem
from domain.ledger import Ledger
from domain.times import DAY, SECOND
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get
from tests.support.command import run
from tests.support.ledgers import opened
from tests.support.notices import callstatus, cdr, signed

YEARS = 5 * 365 * DAY


def recorded_on(ledger: Ledger, clock: asgi.Clock, at: int, number: int = 0) -> None:
    """Record a callback that is received when it is recorded."""
    clock.at = at
    ledger.record([ledger.verify_delivery(signed(cdr(r=number)).encode(), at)])


@pytest.fixture
def clock() -> asgi.Clock:
    return asgi.Clock()


class TestTheLastEvent:
    def test_of_an_empty_ledger_tells_nothing(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            assert find_clock_problem(ledger, asgi.NOON) == ""

    def test_tells_nothing_where_the_clock_goes_on(self, store_url: str, clock: asgi.Clock) -> None:
        with opened(store_url, clock=clock) as ledger:
            recorded_on(ledger, clock, asgi.NOON)
            assert find_clock_problem(ledger, asgi.NOON + YEARS) == ""
            assert find_clock_problem(ledger, asgi.NOON - 60 * SECOND) == ""

    def test_holds_the_time_of_recording_if_it_is_in_the_future(self, store_url: str, clock: asgi.Clock) -> None:
        with opened(store_url, clock=clock) as ledger:
            recorded_on(ledger, clock, asgi.NOON + YEARS)
            said = find_clock_problem(ledger, asgi.NOON)
            assert "the event at position 1 was recorded at 2031-10-14T12:00:00.000000Z" in said
            assert "the clock says 2026-10-15T12:00:00.000000Z" in said

    def test_was_received_before_the_log_s_last_by_over_a_day(self, store_url: str, clock: asgi.Clock) -> None:
        with opened(store_url, clock=clock) as ledger:
            recorded_on(ledger, clock, asgi.NOON + YEARS)
            recorded_on(ledger, clock, asgi.NOON, 1)
            said = find_clock_problem(ledger, asgi.NOON + 2 * YEARS)
            assert said.startswith(
                "the callback at position 2 was received at 2026-10-15T12:00:00.000000Z, and recorded at 2031"
            )

    def test_may_be_an_import_of_old_notices(self, store_url: str, clock: asgi.Clock) -> None:
        with opened(store_url, clock=clock) as ledger:
            ledger.record([ledger.verify_delivery(signed(cdr()).encode(), asgi.NOON - YEARS, "import:old")])
            assert find_clock_problem(ledger, asgi.NOON) == ""


class TestIsSaid:
    def test_by_the_status_and_its_check(self, tmp_path: Path) -> None:
        store = f"sqlite:///{tmp_path}/ledger.db"
        clock = asgi.Clock()
        with opened(store, clock=clock) as ledger:
            recorded_on(ledger, clock, asgi.NOON + 100 * YEARS)
        assert "the event at position 1 was recorded at" in run("status", "--store", store).err
        said = run("status", "--check", "--format", "json", "--store", store).json()
        assert said["clock"] in said["findings"]

    def test_by_health_which_is_degraded_and_once_in_the_log(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = asgi.Clock()
        service = asgi.service_at(tmp_path, clock)
        with asgi.running(service) as client:
            get(client, signed(callstatus()))
            assert client.get("/health").json()["clock"] is None
            clock.at -= YEARS
            health = client.get("/health")
            assert (health.status_code, health.json()["status"]) == (200, "degraded")
            assert "position 1 was recorded at" in health.json()["clock"]
            with caplog.at_level(logging.WARNING):
                service.log_clock_problem()
                service.log_clock_problem()
            assert caplog.text.count("position 1 was recorded at") == 1
