"""The API over a ledger with data: a service in process on each store, and a client for whoever asks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain import times
from tests.conftest import SQLITE_FIRST
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get
from tests.support.command import run
from tests.support.notices import KEY, OTHER_KEY, callstatus, signed
from tests.support.samples import SAMPLES
from tests.support.web_users import bearer

Asking = Callable[..., TestClient]
ALL = ("read", "export", "operate", "pii")


@pytest.fixture(scope="module", params=SQLITE_FIRST)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service on a ledger that has a day of traffic, and two notices in quarantine."""
    if request.param == "sqlite":
        yield from _running(f"sqlite:///{tmp_path_factory.mktemp('api')}/ledger.db")
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield from _running(url)


def _running(url: str) -> Iterator[Service]:
    environment = {"TRINGLEDGER_STORE": url, "TRINGME_PRIVATE_KEY": KEY}
    run("migrate", "--store", url, **environment)
    for name in ("traffic", "adverse"):
        run("import", str(SAMPLES / f"{name}.ndjson"), **environment)
    service = asgi.service_at(Path(), times.now, follows=True, **environment)
    with asgi.running(service) as client:
        get(client, signed(callstatus(r=1), OTHER_KEY))
        get(client, signed(callstatus(r=2, srcduration="much", src="18585550199")))
        head = service.ledger.head()
        found = client.get(f"/api/v1/status?min_position={head}", headers=bearer(service, "read"))
        assert found.json()["read_models"]["position"] == head
        yield service


@pytest.fixture(scope="module")
def asking(service: Service) -> Asking:
    """Return a function that makes a client for a user with these roles, by default all of them."""

    def make(*roles: str) -> TestClient:
        client = TestClient(service.app)
        client.headers.update(bearer(service, *(roles or ALL)))
        return client

    return make


@pytest.fixture(scope="module")
def client(asking: Asking) -> TestClient:
    return asking()
