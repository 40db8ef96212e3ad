"""A service on a file that is locked, full or unreadable for a while, killed at any moment of it: each 200 is an event, once, in order."""

import asyncio
import errno
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from tests.processes.test_crash_postgres import logged
from tests.processes.test_spool_chaos import SECONDS_MAX, is_drained, promised, queries
from tests.soak.interposer import Interposer, Rule, compile_interposer
from tests.support.asgi_service import eventually
from tests.support.command import Server, serving
from tests.support.http_client import Replies, deliver
from tests.support.notices import KEY
from tests.support.programs import require_program

pytestmark = pytest.mark.thorough

# A lock that is held is given up soon: it would take a quarter of a minute.
IMPATIENT = """
import sys
from domain.log.sqlite import connections
connections.LOCK_TIMEOUT_SECONDS = 0.3
sys.argv = sys.argv[1:]
from tringledger import main
main()
"""
FULL = [Rule("write", "fail", errno.ENOSPC, every=1, path="ledger.db-wal")]
UNREADABLE = [Rule("stat", "fail", errno.EIO, every=1, path="ledger.db"), Rule("open", "fail", errno.EIO, every=1)]
Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def interposer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interposer]:
    """Stand between the services to come and the files of their store; those of the spool are left alone."""
    require_program("cc")
    (tmp_path / "store").mkdir()
    made = Interposer(compile_interposer(tmp_path), tmp_path, tmp_path / "store", seed=1)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    with closing(made):
        yield made


@pytest.fixture
def url(interposer: Interposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: ARG001
    """Name a store, and a spool on what counts as another disk."""
    made = f"sqlite:///{tmp_path}/store/ledger.db"
    (tmp_path / "spool").mkdir()
    monkeypatch.setenv("TRINGLEDGER_STORE", made)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    monkeypatch.setenv("TRINGLEDGER_SPOOL", str(tmp_path / "spool"))
    return made


def send(server: Server, sent: list[str], replies: Replies) -> None:
    """Send notices one after the other: so their order is known."""
    asyncio.run(deliver(server.port, sent, replies, connections=1))


def outages(interposer: Interposer, file: Path) -> dict[str, Outage]:
    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(file, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def failing(rules: list[Rule]) -> Iterator[None]:
        interposer.arm(rules)
        yield
        interposer.disarm()

    return {"locked": locked, "full": lambda: failing(FULL), "unreadable": lambda: failing(UNREADABLE)}


def test_killed_while_its_file_is_locked_full_or_unreadable_and_while_it_drains(
    tmp_path: Path, url: str, interposer: Interposer
) -> None:
    parts = iter([queries(range(number * 50, number * 50 + 50)) for number in range(3)])
    sent: list[str] = []
    replies, random = Replies(), Random(3)
    for what, outage in outages(interposer, tmp_path / "store/ledger.db").items():
        part = next(parts)
        sent += part
        with serving(tmp_path, wrapper=[sys.executable, "-c", IMPATIENT]) as server:
            send(server, part[:10], replies)  # What the last one spooled may be drained meanwhile.
            with outage():
                load = Thread(target=send, args=(server, part[10:], replies))
                load.start()
                until = len(replies) + random.randint(20, 100)
                eventually(lambda until=until, load=load: len(replies) > until or not load.is_alive())  # type: ignore[misc]
                server.kill()
                load.join(SECONDS_MAX)
        spooled = [query for query in part if query in promised(replies) and is_spooled(replies, query)]
        assert len(spooled) > 15, f"{what}: {server.said[-2000:]}"
    for _ in range(2):
        with serving(tmp_path) as server:
            before = len(logged(url))
            eventually(lambda before=before: len(logged(url)) > before or is_drained(server), SECONDS_MAX)  # type: ignore[misc]
            server.kill()
    with serving(tmp_path) as server:
        eventually(lambda: is_drained(server), SECONDS_MAX)
        log, promises = logged(url), promised(replies)
        assert [query for query in log if query in promises] == [query for query in sent if query in promises]
        send(server, [query for query in sent if query not in promises], replies)
        assert promised(replies) == set(sent)
        server.terminate()
    assert sorted(logged(url)) == sorted(sent)
    assert list((tmp_path / "spool").iterdir()) == []


def is_spooled(replies: Replies, query: str) -> bool:
    return bool(replies[query].json()["status"] == "spooled")
