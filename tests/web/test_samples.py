"""The sample logs over HTTP: counts, CDRs and billing, value for value."""

import pytest

from api.service import Service
from domain import times
from tests.support import asgi_service as asgi
from tests.support.sample_results import assert_yields
from tests.support.samples import SAMPLE_NAMES, sample


@pytest.mark.parametrize("name", SAMPLE_NAMES)
class TestTheSamples:
    """Delivered over HTTP, as GET and POST in turns, on the clock of the sample."""

    @pytest.fixture
    def delivered(self, name: str, service: Service, clock: asgi.Clock) -> dict[str, int]:
        counts = {"recorded": 0, "duplicate": 0, "quarantined": 0}

        async def scenario() -> None:
            async with asgi.started(service):
                for number, (received_at, query) in enumerate(sample(name).lines):
                    clock.at = times.parse(received_at)
                    answer = await (
                        asgi.ask(service, method="POST", body=query.encode())
                        if number % 2
                        else asgi.ask(service, query)
                    )
                    assert answer.status in {200, 202, 403}
                    counts[answer.json()["status"] if answer.status == 200 else "quarantined"] += 1

        asgi.on_a_loop(scenario)
        return counts

    def test_they_yield_counts_cdrs_and_billing_value_for_value(
        self, name: str, service: Service, delivered: dict[str, int]
    ) -> None:
        wanted = sample(name)
        assert delivered == {kind: wanted.counts.get(kind, 0) for kind in delivered}
        assert_yields(wanted, service.ledger.url)
