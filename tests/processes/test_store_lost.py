"""The store under a running service is replaced, deleted or damaged: no 200 after that, and health is red until a restart."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.processes.test_crash import is_kept, logged, recorded, traffic
from tests.support import http_client as caller
from tests.support.command import Server, run, serving
from tests.support.http_client import Replies, deliver

pytestmark = [pytest.mark.usefixtures("store"), pytest.mark.only_on("sqlite")]

FILE = "ledger.db"


def copy_over(backup: Path, file: Path) -> None:
    """Do as `cp backup file` does: the file is emptied and written, and keeps its inode."""
    inode = file.stat().st_ino
    with backup.open("rb") as source, file.open("wb") as target:
        shutil.copyfileobj(source, target)
    assert file.stat().st_ino == inode


def checkpoint(folder: Path) -> None:
    """Move all that the write-ahead log has into the file."""
    with closing(sqlite3.connect(folder / FILE)) as file:
        file.execute("PRAGMA wal_checkpoint(PASSIVE)")


def plain_copy(folder: Path) -> Path:
    """Copy the file as `cp` does, once all is moved into it."""
    checkpoint(folder)
    shutil.copyfile(folder / FILE, folder / "backup.db")
    return folder / "backup.db"


def vacuumed_copy(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / FILE)) as file:
        file.execute("VACUUM INTO ?", (str(folder / "backup.db"),))
    return folder / "backup.db"


def copy_by_sqlite(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / FILE)) as file, closing(sqlite3.connect(folder / "backup.db")) as backup:
        file.backup(backup)
    return folder / "backup.db"


def is_red(server: Server, said: str) -> bool:
    """Whether health is 503, and says this and what to do."""
    health = caller.health(server.port)
    return health["status"] == "failing" and said in health["failure"] and "tringledger restore" in health["failure"]


class TestAnOlderCopyOverTheFile:
    @pytest.mark.parametrize(
        "made_by", [plain_copy, pytest.param(vacuumed_copy, marks=pytest.mark.thorough), copy_by_sqlite]
    )
    def test_no_callback_is_answered_200_after_it(self, tmp_path: Path, made_by: Callable[[Path], Path]) -> None:
        queries, before, after = traffic(range(60)), Replies(), Replies()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries[:20], before))
            backup = made_by(tmp_path)
            asyncio.run(deliver(server.port, queries[20:110], before))
            checkpoint(tmp_path)  # The follower does so, too; as long as nobody has, a copy takes nothing away.
            asyncio.run(deliver(server.port, queries[110:120], before))
            assert {reply.status for reply in before.values()} == {200}
            copy_over(backup, tmp_path / FILE)
            asyncio.run(deliver(server.port, queries[120:140], after))
            assert {reply.status for reply in after.values()} == {503}
            assert is_red(server, "was copied over")
            asyncio.run(deliver(server.port, queries[140:160], after))
            assert {reply.status for reply in after.values()} == {503}, "until somebody has acted"
            assert is_red(server, "was copied over")


class TestADeletedWriteAheadLog:
    def test_no_callback_is_answered_200_after_it_and_none_that_was_answered_is_lost(
        self, tmp_path: Path, store: str
    ) -> None:
        queries, replies = traffic(range(40)), Replies()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries[:40], replies))
            for suffix in ("-wal", "-shm"):
                (tmp_path / f"{FILE}{suffix}").unlink()
            asyncio.run(deliver(server.port, queries[40:60], replies))
            assert {replies[query].status for query in queries[40:60]} == {503}
            assert is_red(server, "write-ahead log")
            server.kill()
        assert len(recorded(replies)) == 40
        assert is_kept(logged(store), replies)

    def test_health_is_red_though_no_callback_came(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, traffic(range(2)), Replies()))
            (tmp_path / f"{FILE}-wal").unlink()
            assert is_red(server, "write-ahead log")

    @pytest.mark.thorough
    def test_after_a_restart_callbacks_are_taken_again(self, tmp_path: Path, store: str) -> None:
        queries, replies = traffic(range(4)), Replies()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries[:4], replies))
            (tmp_path / f"{FILE}-wal").unlink()
            asyncio.run(deliver(server.port, queries[4:], replies))
            server.terminate()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries[4:], replies))
            server.terminate()
        assert {reply.status for reply in replies.values()} == {200}
        assert is_kept(logged(store), replies)


class TestADamagedFile:
    def test_no_callback_is_answered_200_once_it_was_met(self, tmp_path: Path) -> None:
        queries, replies = traffic(range(40)), Replies()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries[:40], replies))
            checkpoint(tmp_path)
            asyncio.run(deliver(server.port, queries[60:61], replies))
            with (tmp_path / FILE).open("r+b") as file:
                file.truncate(4096)
            asyncio.run(deliver(server.port, queries[40:60], replies))
            assert {replies[query].status for query in queries[40:60]} == {503}
            assert caller.health(server.port)["status"] == "failing"

    @pytest.mark.thorough
    def test_a_thorough_check_names_the_damage(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, traffic(range(100)), Replies()))
            server.terminate()
        assert run("status", "--check", "--thorough", "--missing-cdrs", "1000").code == 0
        with closing(sqlite3.connect(tmp_path / FILE)) as file:
            (page,) = file.execute("SELECT max(rootpage) FROM sqlite_master").fetchone()
            (size,) = file.execute("PRAGMA page_size").fetchone()
        with (tmp_path / FILE).open("r+b") as file_bytes:
            file_bytes.seek((page - 1) * size)
            file_bytes.write(bytes(size))
        said = run("status", "--check", "--thorough", "--missing-cdrs", "1000")
        assert (said.code, "the log in sqlite:///" in said.err and "ledger.db is damaged" in said.err) == (1, True)
