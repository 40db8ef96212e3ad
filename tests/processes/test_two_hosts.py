"""Two services on one PostgreSQL, each on a host of its own behind its own network: one dies, one is partitioned, both get callbacks."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.log.keepalive import HOLDER_SESSION
from tests.processes.test_crash_postgres import logged
from tests.processes.test_spool_chaos import IMPATIENT
from tests.support import http_client as caller
from tests.support.api_fixtures import named_store
from tests.support.asgi_service import eventually
from tests.support.command import Server, run, serving
from tests.support.http_client import Replies, deliver
from tests.support.notices import notices_of_call, signed
from tests.support.postgres_server import Postgres
from tests.support.tcp_proxy import Network, network

pytestmark = pytest.mark.thorough

SECONDS_MAX = 30


class Host(NamedTuple):
    """A host with a service, and its way to the server."""

    server: Server
    way: Network

    def follows(self) -> bool:
        models = caller.health(self.server.port)["read_models"]
        return not models["standing_by"] and not models["failure"] and models["lag"] == 0

    def stands_by(self) -> bool:
        return bool(caller.health(self.server.port)["read_models"]["standing_by"])


@pytest.fixture
def past(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a new ledger, past all networks."""
    return named_store("postgres", request, monkeypatch)


@pytest.fixture
def hosts(
    tmp_path: Path, past: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Host, Host]]:
    """Give two hosts, of which the first follows the log."""

    @contextmanager
    def host(name: str) -> Iterator[Host]:
        with network(postgres.directory / ".s.PGSQL.5432") as way:
            url = f"postgresql://postgres@127.0.0.1:{way.port}/{postgres.name_of(past)}?sslmode=disable"
            monkeypatch.setenv("TRINGLEDGER_STORE", url)
            (tmp_path / name).mkdir()
            with serving(tmp_path / name, wrapper=[sys.executable, "-c", IMPATIENT]) as server:
                yield Host(server, way)

    with host("first") as first:
        eventually(first.follows, SECONDS_MAX)
        with host("second") as second:
            eventually(second.stands_by, SECONDS_MAX)
            yield first, second
    monkeypatch.setenv("TRINGLEDGER_STORE", past)


def queries(calls: range) -> list[str]:
    return [signed(pairs) for number in calls for pairs in notices_of_call(number)]


def send(host: Host, sent: list[str]) -> Replies:
    replies = Replies()
    asyncio.run(deliver(host.server.port, sent, replies))
    return replies


def all_are_recorded_once(past: str, sent: list[str]) -> bool:
    """Whether each is an event, once, and the read models are what the log says."""
    said = run("rebuild", "--check", "--store", past)
    return sorted(logged(past)) == sorted(sent) and said.code == 0


def test_a_dead_hosts_lock_is_released_and_the_other_one_follows(past: str, hosts: tuple[Host, Host]) -> None:
    first, second = hosts
    sent = queries(range(40))
    send(first, sent[:60])
    first.way.freeze()  # Nothing tells the server.
    first.server.kill()
    send(second, sent[30:])
    assert second.stands_by()
    assert float(HOLDER_SESSION["tcp_user_timeout"].removesuffix("s")) <= 4
    first.way.forget()  # What the server's keepalives come to after four seconds.
    eventually(second.follows, SECONDS_MAX)
    assert all_are_recorded_once(past, sent)


def test_a_partitioned_follower_is_replaced_and_joins_again_with_nothing_doubled(
    past: str, hosts: tuple[Host, Host]
) -> None:
    first, second = hosts
    sent = queries(range(60))
    send(first, sent[:60])
    first.way.forget()
    # Few: each transaction in turn waits ten seconds for a connection.
    refused = send(first, sent[60:66])
    assert {reply.status for reply in refused.values()} == {503}
    eventually(second.follows, SECONDS_MAX)
    assert {reply.status for reply in send(second, sent[30:120]).values()} == {200}
    first.way.mend()
    eventually(first.stands_by, SECONDS_MAX)
    assert {reply.status for reply in send(first, sent[60:]).values()} == {200}
    assert {reply.status for reply in send(second, sent).values()} == {200}
    eventually(second.follows, SECONDS_MAX)
    assert all_are_recorded_once(past, sent)


def test_both_get_every_callback_at_once_and_it_is_one_event(past: str, hosts: tuple[Host, Host]) -> None:
    sent = queries(range(60))

    async def both() -> None:
        await asyncio.gather(*(deliver(host.server.port, sent, Replies()) for host in hosts))

    asyncio.run(both())
    eventually(hosts[0].follows, SECONDS_MAX)
    assert all_are_recorded_once(past, sent)
