"""Services with a spool that are killed, cut off and left without room: every 200 is an event, once, whatever was lost between."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from tests.processes.test_crash_postgres import logged
from tests.support import http_client as caller
from tests.support.api_fixtures import named_store
from tests.support.asgi_service import eventually
from tests.support.command import Server, run, serving
from tests.support.http_client import Replies, deliver
from tests.support.notices import notices_of_call, signed
from tests.support.postgres_server import Postgres
from tests.support.tcp_proxy import Network, network

pytestmark = pytest.mark.thorough

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
# A silent server is given up soon: it would take half a minute.
IMPATIENT = """
import sys
from domain.log.postgres import connections
connections.ANSWER_SECONDS_MAX = 2
sys.argv = sys.argv[1:]
from tringledger import main
main()
"""
SECONDS_MAX = 30


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, postgres: Postgres) -> Iterator[Network]:
    """Name a new ledger in PostgreSQL, behind a network, and a spool."""
    url = named_store("postgres", request, monkeypatch)
    with network(postgres.directory / ".s.PGSQL.5432") as made:
        name = postgres.name_of(url)
        monkeypatch.setenv("TRINGLEDGER_STORE", f"postgresql://postgres@127.0.0.1:{made.port}/{name}?sslmode=disable")
        yield made


@pytest.fixture
def past(way: Network, request: pytest.FixtureRequest) -> str:  # noqa: ARG001 - it has made the ledger
    """Return the address of the ledger past the network."""
    url: str = request.getfixturevalue("migrated")
    return url


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "spool").mkdir()
    monkeypatch.setenv("TRINGLEDGER_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def queries(calls: range) -> list[str]:
    return [signed(pairs) for number in calls for pairs in notices_of_call(number)]


def send(server: Server, sent: list[str], replies: Replies) -> None:
    asyncio.run(deliver(server.port, sent, replies))


def promised(replies: Replies) -> set[str]:
    return {query for query, reply in replies.items() if reply.status == 200}


def is_drained(server: Server) -> bool:
    return bool(caller.health(server.port).get("spool", {}).get("callbacks") == 0)


def every_promise_is_kept_once(past: str, replies: Replies) -> None:
    log = logged(past)
    assert len(set(log)) == len(log)
    assert promised(replies) <= set(log)


def test_killed_while_the_store_is_cut_off_again_and_again(
    tmp_path: Path, way: Network, past: str, spool: Path
) -> None:
    sent, replies, random = queries(range(225)), Replies(), Random(1)
    for turn in range(3):
        part = sent[turn * 225 : (turn + 1) * 225]
        with serving(tmp_path, "--workers", "2") as server:
            send(server, part[:50], replies)
            way.cut()
            load = Thread(target=send, args=(server, part[50:], replies))
            load.start()
            until = len(replies) + random.randint(20, 150)
            eventually(lambda until=until, load=load: len(replies) > until or not load.is_alive())  # type: ignore[misc]
            server.kill()
            load.join(SECONDS_MAX)
        way.mend()
    spooled = [reply for reply in replies.values() if reply.status == 200 and reply.json()["status"] == "spooled"]
    assert len(spooled) > 50
    with serving(tmp_path) as server:
        eventually(lambda: is_drained(server), SECONDS_MAX)
        every_promise_is_kept_once(past, replies)
        send(server, [query for query in sent if query not in promised(replies)], replies)
        assert promised(replies) == set(sent)
        eventually(lambda: is_drained(server), SECONDS_MAX)
        server.terminate()
    assert sorted(logged(past)) == sorted(sent)
    assert list(spool.iterdir()) == []


def test_killed_while_it_drains(tmp_path: Path, way: Network, past: str, spool: Path) -> None:
    sent, replies, random = queries(range(600)), Replies(), Random(2)
    with serving(tmp_path) as server:
        way.cut()
        send(server, sent, replies)
        assert len(promised(replies)) == len(sent)
        server.kill()
    way.mend()
    way.delay = 0.01
    for _ in range(3):
        with serving(tmp_path) as server:
            before = len(logged(past))
            eventually(lambda before=before: len(logged(past)) > before or is_drained(server), SECONDS_MAX)  # type: ignore[misc]
            asyncio.run(asyncio.sleep(random.uniform(0, 0.3)))
            server.kill()
    way.delay = 0
    with serving(tmp_path) as server:
        eventually(lambda: is_drained(server), SECONDS_MAX)
        server.terminate()
    assert sorted(logged(past)) == sorted(sent)
    assert list(spool.iterdir()) == []


def test_a_partition_amid_commits_doubles_nothing(tmp_path: Path, way: Network, past: str, spool: Path) -> None:
    sent, replies = queries(range(60)), Replies()
    with serving(tmp_path, wrapper=[sys.executable, "-c", IMPATIENT]) as server:
        load = Thread(target=send, args=(server, sent, replies))
        load.start()
        eventually(lambda: len(replies) > 5)
        way.freeze()
        load.join(SECONDS_MAX)
        assert promised(replies) == set(sent)
        assert caller.health(server.port)["status"] == "degraded"
        way.mend()
        eventually(lambda: is_drained(server), SECONDS_MAX)
        server.terminate()
    every_promise_is_kept_once(past, replies)
    assert sorted(logged(past)) == sorted(sent)
    assert list(spool.iterdir()) == []


@pytest.mark.usefixtures("spool")
def test_a_disk_of_the_spool_that_is_full_costs_nobody_his_notice(tmp_path: Path, way: Network, past: str) -> None:
    sent, replies = queries(range(200)), Replies()
    with serving(tmp_path, wrapper=[sys.executable, "-c", LIMITED, "40000"]) as server:
        way.cut()
        send(server, sent, replies)
        refused = [query for query in sent if query not in promised(replies)]
        assert len(promised(replies)) > 100
        assert len(refused) > 100
        assert "cannot be written: File too large" in server.said
        way.mend()
        eventually(lambda: is_drained(server), SECONDS_MAX)
        every_promise_is_kept_once(past, replies)
        send(server, refused, replies)
        assert promised(replies) == set(sent)
    assert sorted(logged(past)) == sorted(sent)


def test_what_a_dead_host_left_is_replayed_by_another_one(tmp_path: Path, way: Network, past: str, spool: Path) -> None:
    sent, replies = queries(range(20)), Replies()
    with serving(tmp_path) as server:
        way.cut()
        send(server, sent, replies)
        server.kill()
    way.mend()
    (file,) = spool.glob("*.spool")
    moved = file.rename(tmp_path / file.name)
    assert f"{len(sent)} recorded" in run("spool", "replay", str(moved)).err
    assert sorted(logged(past)) == sorted(sent)
