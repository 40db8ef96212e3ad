"""A server that does not sync what it commits is warned of: a power cut may take what was answered 200."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from domain.ledger import Ledger
from domain.log.postgres.log import PostgresLog
from tests.support.command import run
from tests.support.ledgers import opened
from tests.support.postgres_server import Postgres

DONE, FINDING = 0, 1


def test_a_file_is_always_synced_and_a_server_usually(store_url: str) -> None:
    with opened(store_url) as ledger:
        assert ledger.store.durability_problem() == ""


def test_status_tells_of_a_server_that_does_not_sync(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = PostgresLog._rows
    monkeypatch.setattr(
        PostgresLog, "_rows", lambda log, *query: [("off",)] if query == ("SHOW fsync",) else rows(log, *query)
    )
    with opened(database):
        pass
    said = run("status", "--check", "--store", database)
    assert (said.code, "the server of the store has fsync=off" in said.err) == (FINDING, True)
    assert "expected fsync=on" in run("status", "--format", "json", "--store", database).json()["durability"]


@contextmanager
def own_server() -> Iterator[Postgres]:
    server = Postgres()
    try:
        yield server
    finally:
        server.end()


@pytest.mark.thorough
def test_a_server_is_asked_each_time_since_a_reload_changes_it() -> None:
    with own_server() as server, server.database() as url, opened(url), Ledger(url) as ledger:
        assert ledger.store.durability_problem() == ""
        server.execute("ALTER SYSTEM SET fsync = off")
        server.execute("SELECT pg_reload_conf()")
        while not ledger.store.durability_problem():
            pass
        assert ledger.store.durability_problem().startswith("the server of the store has fsync=off: ")
