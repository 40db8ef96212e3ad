"""Two services on one PostgreSQL database, as on two hosts: one forwards; killed or cut off, the other takes over at once."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.ledger import Ledger
from tests.processes.test_forwarder import first_occurrences, forwarding, kill_with_helpers, notices, send
from tests.support import handler_stub as their_handler
from tests.support.asgi_service import eventually
from tests.support.command import Server, serving
from tests.support.handler_stub import TheirHandler
from tests.support.http_client import ask, get
from tests.support.notices import KEY
from tests.support.postgres_server import Postgres

TAKEN_OVER_SECONDS_MAX = 5

pytestmark = pytest.mark.only_on("postgres")


@pytest.fixture(autouse=True)
def store(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a ledger in PostgreSQL, and name it in the environment."""
    monkeypatch.setenv("TRINGLEDGER_STORE", database)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    Ledger(database, create=True).close()
    return database


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[TheirHandler]:
    """Run a handler, and name it in the settings."""
    with their_handler.their_handler() as running:
        monkeypatch.setenv("TRINGLEDGER_FORWARD_URL", running.url)
        yield running


@pytest.fixture
def two_services(tmp_path: Path, handler: TheirHandler) -> Iterator[tuple[Server, Server]]:
    """Run two services; the first is the one that forwards."""
    (tmp_path / "second").mkdir()
    with serving(tmp_path) as first:
        send(first, *notices([0]))
        eventually(lambda: len(handler.taken) == 1)
        with serving(tmp_path / "second") as second:
            yield first, second


def insist(server: Server, query: str) -> None:
    """Send a notice until it is taken, as TringMe does."""
    eventually(lambda: asyncio.run(ask(server.port, get(query))).status == 200)


@pytest.mark.thorough
def test_nothing_is_forwarded_twice_while_both_run(two_services: tuple[Server, Server], handler: TheirHandler) -> None:
    first, second = two_services
    queries = notices(range(201))
    for start in range(1, 201, 20):
        send(first, *queries[start : start + 10])
        send(second, *queries[start + 10 : start + 20])
    eventually(lambda: len(handler.taken) == 201)
    eventually(lambda: forwarding(first)["lag"] == forwarding(second)["lag"] == 0)
    assert handler.taken == queries


def test_one_takes_over_when_the_other_is_killed(two_services: tuple[Server, Server], handler: TheirHandler) -> None:
    first, second = two_services
    queries = notices(range(40))
    send(first, *queries[1:20])
    kill_with_helpers(first)
    killed_at = time.monotonic()
    send(second, *queries[20:])
    eventually(lambda: queries[-1] in handler.taken)
    assert time.monotonic() - killed_at < TAKEN_OVER_SECONDS_MAX
    assert first_occurrences(handler.taken) == queries


def test_all_connections_cut_it_goes_on_and_leaves_nothing_out(
    two_services: tuple[Server, Server], handler: TheirHandler, postgres: Postgres, store: str
) -> None:
    first, second = two_services
    queries = notices(range(60))
    send(first, *queries[1:30])
    postgres.kill_backends(store)
    for query in queries[30:]:
        insist(second, query)
    eventually(lambda: queries[-1] in handler.taken)
    assert first_occurrences(handler.taken) == queries
