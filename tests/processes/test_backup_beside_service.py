"""Backups of a ledger whose service is under load, was killed, or has no room left: each callback with a 200 is found again."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.processes.test_crash import LIMITED, is_kept, logged, recorded, traffic
from tests.support.alongside import alongside
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving, spawn
from tests.support.http_client import Replies, deliver

pytestmark = [pytest.mark.usefixtures("store"), pytest.mark.only_on("sqlite")]

UNAVAILABLE = 3
BACKUPS = "backups"


def back_up() -> Path:
    said = run("backup", BACKUPS)
    assert said.code == 0, said.err
    return Path(said.out.strip())


def restore(backup: Path, to: Path) -> str:
    """Restore a backup, which verifies all of it, and return the address."""
    url = f"sqlite:///{to}"
    said = run("restore", str(backup), url)
    assert said.code == 0, said.err
    return url


@contextmanager
def load(server: Server, queries: list[str], replies: Replies) -> Iterator[None]:
    """Send callbacks, some at a time, until the block ends or none is left."""

    def send(ended: Event) -> None:
        for start in range(0, len(queries), 20):
            if ended.is_set():
                return
            asyncio.run(deliver(server.port, queries[start : start + 20], replies))

    with alongside(send):
        yield


def test_a_backup_under_load_has_all_that_came_before_it_and_the_service_answers_everybody(
    store: str, tmp_path: Path
) -> None:
    before, meanwhile = Replies(), Replies()
    with serving(tmp_path) as server:
        asyncio.run(deliver(server.port, traffic(range(40)), before))
        with load(server, traffic(range(100, 1000)), meanwhile):
            eventually(lambda: len(meanwhile) > 0)
            made = back_up()
    assert {reply.status for reply in (*before.values(), *meanwhile.values())} == {200}
    log, saved = logged(store), logged(restore(made, tmp_path / "restored.db"))
    assert is_kept(log, before | meanwhile)
    assert is_kept(saved, before), "what was answered before the backup began is in it"
    assert saved == log[: len(saved)], "and what it has is what the log had then"
    assert len(log) > len(saved)


def test_what_a_killed_service_has_answered_is_in_the_backup_and_what_comes_again_changes_nothing(
    store: str, tmp_path: Path
) -> None:
    queries, replies, again = traffic(range(400)), Replies(), Replies()

    with serving(tmp_path) as server, load(server, queries, replies):
        eventually(lambda: len(replies) >= 100)
        server.kill()
    assert 100 <= len(recorded(replies)) < len(queries), "it was killed in the middle"
    url = restore(back_up(), tmp_path / "restored.db")
    assert is_kept(logged(url), replies)
    with serving(tmp_path, "--store", url) as server:
        asyncio.run(deliver(server.port, queries, again))
    assert {reply.status for reply in again.values()} == {200}
    assert is_kept(logged(url), replies | again)
    assert len(logged(url)) == len(queries)
    assert logged(store) == logged(url)[: len(logged(store))]


@pytest.mark.thorough
def test_a_backup_that_finds_no_room_leaves_nothing_and_touches_no_callback(tmp_path: Path) -> None:
    replies = Replies()
    with serving(tmp_path) as server:
        asyncio.run(deliver(server.port, traffic(range(40)), replies))
        process = spawn("backup", BACKUPS, wrapper=(sys.executable, "-c", LIMITED, "20000"), stderr=-1)
        _, said = process.communicate(timeout=SECONDS_MAX)
        assert process.returncode == UNAVAILABLE, said
        assert b"backup" in said
        assert list(Path(BACKUPS).iterdir()) == []
        asyncio.run(deliver(server.port, traffic(range(40, 50)), replies))
        assert {reply.status for reply in replies.values()} == {200}
        assert is_kept(logged(restore(back_up(), tmp_path / "restored.db")), replies)


@pytest.mark.thorough
def test_a_backup_that_was_killed_leaves_no_folder_that_could_be_taken_for_one(tmp_path: Path) -> None:
    replies = Replies()
    with serving(tmp_path) as server:
        asyncio.run(deliver(server.port, traffic(range(200)), replies))
        process = spawn("backup", BACKUPS, stderr=-1)
        deadline = time.monotonic() + SECONDS_MAX
        while not list(tmp_path.glob(f"{BACKUPS}/*.part")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        assert [each.name for each in tmp_path.glob(f"{BACKUPS}/*") if not each.name.endswith(".part")] == []
        made = back_up()
        assert [each.name for each in tmp_path.glob(f"{BACKUPS}/*")] == [made.name]
        assert is_kept(logged(restore(made, tmp_path / "restored.db")), replies)
