"""Real services on a PostgreSQL whose connections are cut and whose server restarts: a 200 is a promise, and nobody has to help."""

import asyncio
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from domain.events.codec import decode_notice
from domain.ledger import Ledger
from tests.support import http_client as caller
from tests.support.api_fixtures import named_store
from tests.support.asgi_service import eventually
from tests.support.command import Server, serving
from tests.support.http_client import Replies, deliver
from tests.support.notices import encoded, notices_of_call, signed
from tests.support.postgres_server import Postgres

CALLS = 250


@pytest.fixture
def migrated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a new ledger in PostgreSQL, and the private key, in the environment."""
    return named_store("postgres", request, monkeypatch)


def queries(calls: range) -> list[str]:
    return [signed(pairs) for number in calls for pairs in notices_of_call(number)]


def logged(url: str) -> list[str]:
    """Return the log's notices as query strings, in order; the positions must be 1, 2, 3 … without a gap."""
    with Ledger(url) as ledger:
        rows = ledger.store.page(0, 100_000, 100_000)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    return [encoded(decode_notice(row.state).params) for row in rows]


def under_load(server: Server, sent: list[str], replies: Replies) -> Thread:
    """Send notices in the background."""
    load = Thread(target=lambda: asyncio.run(deliver(server.port, sent, replies)))
    load.start()
    return load


def every_promise_is_kept(url: str, replies: Replies) -> None:
    log = logged(url)
    assert len(set(log)) == len(log)
    promised = {query: reply.json()["position"] for query, reply in replies.items() if reply.status == 200}
    assert promised
    assert all(log[position - 1] == query for query, position in promised.items())


def until_all_are_recorded(server: Server, sent: list[str], replies: Replies) -> None:
    """Send again what got no 200, as TringMe would, until everything got it."""

    def again() -> bool:
        refused = [query for query in sent if query not in replies or replies[query].status != 200]
        asyncio.run(deliver(server.port, refused, replies))
        return not refused

    eventually(again)


def test_connections_cut_under_load_cost_nobody_his_notice(tmp_path: Path, migrated: str, postgres: Postgres) -> None:
    sent, replies = queries(range(CALLS)), Replies()
    with serving(tmp_path, "--workers", "2") as server:
        load = under_load(server, sent, replies)
        while load.is_alive():
            postgres.kill_backends(migrated)
            load.join(0.3)
        assert {reply.status for reply in replies.values()} <= {200, 503}
        every_promise_is_kept(migrated, replies)
        until_all_are_recorded(server, sent, replies)
        assert "Traceback" not in server.said
    every_promise_is_kept(migrated, replies)
    assert sorted(logged(migrated)) == sorted(sent)


@pytest.mark.thorough
def test_a_server_restarted_under_load_is_found_again(tmp_path: Path, migrated: str, postgres: Postgres) -> None:
    sent, replies = queries(range(CALLS)), Replies()
    with serving(tmp_path) as server:
        load = under_load(server, sent, replies)
        eventually(lambda: len(replies) > 20)
        postgres.stop()
        eventually(lambda: any(reply.status == 503 for reply in replies.values()) or not load.is_alive())
        with suppress(OSError):
            assert caller.health(server.port)["status"] == "failing"
        postgres.start()
        load.join()
        until_all_are_recorded(server, sent, replies)
        assert "cannot record" not in server.said
    every_promise_is_kept(migrated, replies)
    assert sorted(logged(migrated)) == sorted(sent)


@pytest.mark.thorough
def test_services_killed_under_load_have_kept_what_they_promised(tmp_path: Path, migrated: str) -> None:
    sent, replies = queries(range(CALLS)), Replies()
    for _ in range(3):
        with serving(tmp_path, "--workers", "2") as server:
            before = len(replies)
            load = under_load(server, [query for query in sent if query not in replies], replies)
            eventually(lambda before=before, load=load: len(replies) > before + 30 or not load.is_alive())  # type: ignore[misc]
            server.kill()
            load.join()
        every_promise_is_kept(migrated, replies)
    with serving(tmp_path) as server:
        until_all_are_recorded(server, sent, replies)
    assert sorted(logged(migrated)) == sorted(sent)
