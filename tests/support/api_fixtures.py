"""What every test of the outside starts from: none of our settings in the environment, and a store of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain import times
from domain.ledger import CALLBACK, Ledger
from domain.notices.signature import Keyring
from tests.conftest import new_store
from tests.support import asgi_service as asgi
from tests.support.database_roles import make_ledger_of_service
from tests.support.notices import KEY


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Forget our settings, and work in a directory where the default store does no harm."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("TRINGLEDGER_", "TRINGME_")):
            monkeypatch.delenv(name)


def named_store(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a new store and the private key in the environment; in PostgreSQL the ledger is there, as migrate makes it."""
    url: str = request.getfixturevalue("migrated") if kind == "postgres" else new_store(kind, request)
    make_ledger_of_service(url)
    monkeypatch.setenv("TRINGLEDGER_STORE", url)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    return url


@pytest.fixture
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a new store of each kind, and the private key, in the environment."""
    return named_store(request.param, request, monkeypatch)


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes lines into a file and returns its name."""

    def write(*lines: str, name: str = "calls.ndjson") -> str:
        file = tmp_path / name
        file.write_text("".join(lines))
        return str(file)

    return write


@pytest.fixture
def aged(store: str) -> Callable[..., None]:
    """Return a function that records notices as callbacks, all of them so many hours ago."""

    def record(hours: float, *queries: str) -> None:
        at = times.now() - int(hours * 3600) * times.SECOND
        with Ledger(store, Keyring("md5-params", [KEY]), create=True, clock=lambda: at) as ledger:
            ledger.record([ledger.verify_delivery(query.encode(), at, CALLBACK) for query in queries])

    return record


@pytest.fixture
def clock() -> asgi.Clock:
    return asgi.Clock()


@pytest.fixture
def service(tmp_path: Path, clock: asgi.Clock) -> Service:
    return asgi.service_at(tmp_path, clock)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with asgi.running(service) as running:
        yield running
