"""What is read from a ledger on PostgreSQL: every command says what it says on SQLite, and any of several services knows."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projections.export.writer import Format
from projections.schema.read_models import STORED_TABLES
from tests.processes.test_crash import agrees_with_its_log, has_caught_up, traffic
from tests.support import http_client as caller
from tests.support.api_fixtures import named_store
from tests.support.asgi_service import eventually
from tests.support.command import run, serving
from tests.support.http_client import Replies, deliver
from tests.support.notices import KEY
from tests.support.postgres_server import Postgres

SAMPLE = Path(__file__).parents[1] / "samples" / "adverse.ndjson"
FORMATS = [form for form in Format if form != Format.XLSX]  # Which says when it was made.
COMMANDS = [
    ("history", "--tag", "sales"),
    ("quarantine", "list"),
    ("quarantine", "list", "--format", "json"),
    ("rebuild",),
    ("rebuild", "--check"),
    ("rebuild", "--check", "--no-catch-up"),
    # The bytes of each form are compared in tests/projections/stores/test_stores_agree.py.
    *(("export", model, "--format", Format.CSV) for model in STORED_TABLES),
    ("export", "cdrs", "--period", "2026-10", "--excel-safe"),
    ("export", "calls", "--waiting", "stale"),
]
OTHER_FORMS = [("export", model, "--format", form) for model in STORED_TABLES for form in FORMATS if form != Format.CSV]


@pytest.fixture
def postgres_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a ledger on PostgreSQL in the environment."""
    named_store("postgres", request, monkeypatch)


@pytest.fixture(scope="module")
def both(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Return the addresses of two ledgers, on SQLite and on PostgreSQL, into which one file was imported."""
    with postgres.database() as url:
        urls = [f"sqlite:///{tmp_path_factory.mktemp('both')}/ledger.db", url]
        run("migrate", TRINGLEDGER_STORE=url)
        for store in urls:
            imported = run("import", str(SAMPLE), "--store", store, TRINGME_PRIVATE_KEY=KEY)
            assert imported.code in (0, 1), imported.err
        yield urls


@pytest.mark.parametrize(
    "arguments", [*COMMANDS, *(pytest.param(words, marks=pytest.mark.thorough) for words in OTHER_FORMS)], ids=" ".join
)
def test_a_command_says_what_it_says_on_sqlite(both: list[str], arguments: tuple[str, ...]) -> None:
    ours, theirs = (run(*arguments, "--store", store) for store in both)
    assert (theirs.code, comparable(theirs.out)) == (ours.code, comparable(ours.out))
    assert theirs.out or theirs.err


def comparable(said: str) -> str:
    """Return what a command said without what a certificate says of who was certified, when, and how long that took."""
    return re.sub(r"(?m)^made .*|^in .*|of ledger \S+", "", said)


def test_the_status_is_that_on_sqlite(both: list[str]) -> None:
    ours, theirs = (status_of(store) for store in both)
    assert theirs == ours
    assert ours["events"] > 1000


def status_of(store: str) -> dict[str, Any]:
    document: dict[str, Any] = run("status", "--format", "json", "--store", store).json()
    own = ("store", "ledger", "last_recorded_at", "rebuilt")  # What a rebuild certifies is compared by itself.
    return {name: value for name, value in document.items() if name not in own}


def stands_by(port: int) -> bool:
    return bool(caller.health(port)["read_models"]["standing_by"])


@pytest.mark.thorough
@pytest.mark.usefixtures("postgres_store")
def test_of_two_services_one_follows_and_the_other_takes_over_when_it_is_killed(tmp_path: Path) -> None:
    queries, replies = traffic(range(40)), Replies()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with serving(tmp_path / "first") as first:
        eventually(lambda: has_caught_up(first))
        asyncio.run(deliver(first.port, queries[:60], replies))
        with serving(tmp_path / "second") as second:
            eventually(lambda: has_caught_up(second) and stands_by(second.port))
            assert not stands_by(first.port)
            first.kill()
            killed = time.monotonic()
            asyncio.run(deliver(second.port, queries[60:], replies))
            eventually(lambda: has_caught_up(second) and not stands_by(second.port))
            assert time.monotonic() - killed < 5
            health = caller.health(second.port)
            assert (health["head"], health["status"]) == (len(queries), "ok")
    assert agrees_with_its_log()


@pytest.mark.usefixtures("postgres_store")
def test_a_service_says_that_the_database_is_gone_and_heals_with_it(tmp_path: Path, postgres: Postgres) -> None:
    replies = Replies()
    with serving(tmp_path) as server:
        asyncio.run(deliver(server.port, traffic(range(5)), replies))
        eventually(lambda: has_caught_up(server))
        postgres.stop()
        eventually(lambda: json.dumps(caller.health(server.port)).count("cannot be used now") > 0)
        postgres.start()
        asyncio.run(deliver(server.port, traffic(range(5, 9)), replies))
        eventually(lambda: has_caught_up(server))
        assert caller.health(server.port)["head"] == len(traffic(range(9)))
        eventually(lambda: "read models continue at position" in server.said)
    assert agrees_with_its_log()
