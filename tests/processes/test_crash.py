"""Real services on real sockets that are killed, filled up, stopped and crowded: a 200 is a promise, and it is kept."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from domain.events.codec import decode_notice
from domain.ledger import Ledger
from domain.log.sqlite.transaction import SQLiteTransaction
from tests.support import http_client as caller
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving, spawn
from tests.support.http_client import Replies, ask, deliver, get, post
from tests.support.notices import callstatus, encoded, line, notices_of_call, signed
from tests.support.ports import free_port
from tests.support.write_lock import write_lock

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""

# On PostgreSQL other things fail: a module of its own has them.
pytestmark = [pytest.mark.usefixtures("store"), pytest.mark.only_on("sqlite")]


def traffic(calls: Iterable[int], tag: str = "sales") -> list[str]:
    """Return the signed notices of whole calls, call after call."""
    return [signed(pairs) for number in calls for pairs in notices_of_call(number, tag)]


def logged(store: str) -> list[str]:
    """Return the log's notices as query strings, in order; the positions must be 1, 2, 3 … without a gap."""
    with Ledger(store) as ledger:
        rows = ledger.store.page(0, ledger.head() + 1, ledger.head())
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    return [encoded(decode_notice(row.state).params) for row in rows]


def recorded(replies: Replies) -> dict[str, int]:
    """Return the notices that got their 200, with the position that the answer named."""
    return {query: reply.json()["position"] for query, reply in replies.items() if reply.status == 200}


def is_kept(log: list[str], replies: Replies) -> bool:
    """Whether every notice with a 200 is in the log, once, at the position that the answer named."""
    counts = Counter(log)
    return all(counts[query] == 1 and log[position - 1] == query for query, position in recorded(replies).items())


def has_caught_up(server: Server) -> bool:
    health = caller.health(server.port)
    return bool(health["status"] == "ok" and health["read_models"]["lag"] == 0)


def agrees_with_its_log() -> bool:
    said = run("rebuild", "--check", "--no-catch-up")
    return said.code == 0 and "agree" in said.err


class Account:
    """An account that never runs out of notices; those that got no answer are sent again before new ones."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.replies = Replies()
        self._fresh = (signed(pairs) for number in count() for pairs in notices_of_call(number))

    @property
    def unanswered(self) -> list[str]:
        return [query for query in self.sent if query not in self.replies]

    def notices(self) -> Iterator[str]:
        yield from self.unanswered
        for query in self._fresh:
            self.sent.append(query)
            yield query


class TestKilledUnderLoad:
    @pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.thorough)])
    def test_every_200_is_kept_once_through_all_kills(self, tmp_path: Path, store: str, kills: int) -> None:
        random, account = Random(kills), Account()
        for _ in range(kills):
            with serving(tmp_path) as server:
                self.load_and_kill(server, account, random.uniform(0, 0.3))
            assert is_kept(logged(store), account.replies)
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, account.unanswered, account.replies))
            eventually(lambda: has_caught_up(server))
        assert {reply.status for reply in account.replies.values()} == {200}
        assert is_kept(logged(store), account.replies)
        assert sorted(logged(store)) == sorted(account.sent)
        assert agrees_with_its_log()

    def load_and_kill(self, server: Server, account: Account, seconds: float) -> None:
        async def scenario() -> None:
            before = len(account.replies)
            load = asyncio.ensure_future(deliver(server.port, account.notices(), account.replies))
            while len(account.replies) == before:  # noqa: ASYNC110 - filled by the load
                await asyncio.sleep(0.001)
            await asyncio.sleep(seconds)
            server.process.kill()
            await load

        asyncio.run(scenario())
        assert server.process.wait(SECONDS_MAX) == -signal.SIGKILL

    @pytest.mark.thorough
    def test_killed_while_it_starts_it_starts_again(self, tmp_path: Path, store: str) -> None:
        random = Random(5)
        for _ in range(6):
            process = spawn("serve", "--port", str(free_port()), stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0.2, 0.6))
            process.kill()
            process.wait(SECONDS_MAX)
        with serving(tmp_path) as server:
            assert asyncio.run(ask(server.port, get(signed(callstatus())))).status == 200
            eventually(lambda: has_caught_up(server))
        assert logged(store) == [signed(callstatus())]

    @pytest.mark.thorough
    def test_an_event_whose_answer_was_lost_is_told_as_duplicate(self, tmp_path: Path, store: str) -> None:
        query, replies = signed(callstatus()), Replies()
        with serving(tmp_path) as server:
            asyncio.run(self.send_and_not_wait(server, query, store))
            server.kill()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, [query], replies))
        assert replies[query].json() == {"status": "duplicate", "position": 1}

    async def send_and_not_wait(self, server: Server, query: str, store: str) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(get(query))
        with Ledger(store) as ledger:
            while not ledger.head():  # noqa: ASYNC110 - the log is in another process
                await asyncio.sleep(0.001)
        writer.transport.abort()


class TestThePowerFails:
    def test_every_commit_of_the_log_waits_for_the_disk(self, store: str) -> None:
        with Ledger(store, create=True) as ledger, ledger.store.transaction() as log:
            assert isinstance(log, SQLiteTransaction)
            (level,) = log._cursor.execute("PRAGMA synchronous").fetchone()
        assert level == 2, "FULL, in SQLite's numbers"


class TestBesideAnImport:
    @pytest.mark.thorough
    def test_both_writing_the_same_lines_double_nothing(self, tmp_path: Path, store: str) -> None:
        queries, replies = traffic(range(700)) + traffic(range(100), "same") * 2, Replies()
        file = tmp_path / "calls.ndjson"
        file.write_text("".join(line(query) for query in queries))
        with serving(tmp_path) as server:
            importing = [spawn("import", str(file), stderr=subprocess.PIPE) for _ in range(2)]
            asyncio.run(deliver(server.port, reversed(queries), replies))
            said = [process.communicate(timeout=SECONDS_MAX)[1].decode() for process in importing]
            eventually(lambda: has_caught_up(server))
        log = logged(store)
        assert [process.returncode for process in importing] == [0, 0], said
        assert sorted(log) == sorted(set(queries))
        assert {reply.status for reply in replies.values()} == {200}
        assert is_kept(log, replies)
        assert agrees_with_its_log()
        rows = run("export", "calls", "--format", "json").json()
        lines = Counter((row["tag"], row["src"], row["ordinal"]) for row in rows)
        assert max(lines.values()) == 1

    @pytest.mark.thorough
    def test_on_one_line_no_ordinal_is_opened_twice(self, tmp_path: Path) -> None:
        openings = [callstatus(r=r, status="SRCFAILED") for r in range(400)]
        halves = [openings[start::2] for start in (0, 1)]
        file = tmp_path / "calls.ndjson"
        file.write_text("".join(line(signed(pairs)) for pairs in halves[0]))
        with serving(tmp_path) as server:
            importing = spawn("import", str(file), stderr=subprocess.DEVNULL)
            asyncio.run(deliver(server.port, [signed(pairs) for pairs in halves[1]], Replies()))
            assert importing.wait(SECONDS_MAX) == 0
        rows = run("export", "calls", "--format", "json").json()
        assert sorted(row["ordinal"] for row in rows) == list(range(1, 401))

    def test_four_imports_create_the_ledger_together(self, tmp_path: Path, store: str) -> None:
        queries = traffic(range(50))
        file = tmp_path / "calls.ndjson"
        file.write_text("".join(line(query) for query in queries))
        importing = [spawn("import", str(file), stderr=subprocess.PIPE) for _ in range(4)]
        said = [process.communicate(timeout=SECONDS_MAX)[1].decode() for process in importing]
        assert [process.returncode for process in importing] == [0] * 4, said
        assert logged(store) == queries


class TestAFullDisk:
    LIMIT_BYTES = 400_000

    def test_it_is_503_and_never_a_false_200(self, tmp_path: Path, store: str) -> None:
        queries, replies = traffic(range(600)), Replies()
        limited = [sys.executable, "-c", LIMITED, str(self.LIMIT_BYTES)]
        with serving(tmp_path, wrapper=limited) as server:
            asyncio.run(deliver(server.port, queries, replies))
            eventually(lambda: self.is_failing(server.port, replies))
            server.terminate()
        refused = [reply for reply in replies.values() if reply.status != 200]
        assert recorded(replies)
        assert refused
        assert {(reply.status, reply.headers["retry-after"]) for reply in refused} == {(503, "5")}
        log = logged(store)
        assert set(log) == set(recorded(replies))
        assert is_kept(log, replies)
        self.mend(tmp_path, store, queries, replies)

    def test_an_import_says_that_the_store_is_unavailable_and_is_resumed_later(
        self, tmp_path: Path, store: str
    ) -> None:
        queries = traffic(range(1500))
        file = tmp_path / "calls.ndjson"
        file.write_text("".join(line(query) for query in queries))
        limited = [sys.executable, "-c", LIMITED, str(2 * self.LIMIT_BYTES)]
        importing = spawn("import", str(file), wrapper=limited, stderr=subprocess.PIPE)
        said = importing.communicate(timeout=SECONDS_MAX)[1].decode()
        assert (importing.returncode, "cannot be used now" in said, "Traceback" in said) == (3, True, False)
        assert run("import", str(file)).code == 0
        assert logged(store) == queries

    def is_failing(self, port: int, replies: Replies) -> bool:
        """Send what was refused once more, and return whether health is red.

        A few callbacks may still find room after a refusal, and the next success makes health green again.
        """
        refused = [query for query, reply in replies.items() if reply.status != 200]
        asyncio.run(deliver(port, refused, replies))
        return bool(caller.health(port)["status"] == "failing")

    def mend(self, tmp_path: Path, store: str, queries: list[str], replies: Replies) -> None:
        """Start again without the limit: what was promised is there, and the rest comes in."""
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries, replies))
            eventually(lambda: has_caught_up(server))
        assert {reply.status for reply in replies.values()} == {200}
        assert sorted(logged(store)) == sorted(queries)
        assert is_kept(logged(store), replies)
        assert agrees_with_its_log()


class TestTheStoreIsTakenAway:
    @pytest.mark.parametrize("leaves_another", [pytest.param(False, marks=pytest.mark.thorough), True])
    def test_it_is_503_until_the_file_is_back_and_nothing_answered_is_lost(
        self, tmp_path: Path, store: str, *, leaves_another: bool
    ) -> None:
        file, away = tmp_path / "ledger.db", tmp_path / "away.db"
        queries, replies = traffic(range(4)), Replies()
        with serving(tmp_path) as server:
            asyncio.run(deliver(server.port, queries[:4], replies))
            file.rename(away)
            if leaves_another:
                file.touch()
            asyncio.run(deliver(server.port, queries[4:8], replies))
            assert {replies[query].status for query in queries[4:8]} == {503}
            health = caller.health(server.port)
            assert (health["status"], "moved, deleted or replaced" in health["failure"]) == ("failing", True)
            assert leaves_another or not file.exists(), "nothing else is made in its place"
            away.rename(file)
            asyncio.run(deliver(server.port, queries[4:], replies))
        assert {reply.status for reply in replies.values()} == {200}
        assert is_kept(logged(store), replies)
        assert sorted(logged(store)) == sorted(queries)


class TestToldToStop:
    def test_everything_that_waits_is_recorded_and_answered(self, tmp_path: Path, store: str) -> None:
        queries, replies = traffic(range(20)), Replies()

        async def scenario(server: Server) -> None:
            with write_lock(store):
                load = asyncio.ensure_future(deliver(server.port, queries, replies, connections=len(queries)))
                await asyncio.sleep(0.5)
                server.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
                assert not replies
            await load

        with serving(tmp_path) as server:
            asyncio.run(scenario(server))
            server.process.wait(SECONDS_MAX)
            assert f"stopped; since start: {len(replies)} recorded" in server.said
        assert recorded(replies)
        assert set(recorded(replies)) == set(logged(store))

    @pytest.mark.thorough
    def test_under_load_what_was_not_answered_was_not_recorded(self, tmp_path: Path, store: str) -> None:
        queries, replies = traffic(range(3000)), Replies()

        async def scenario(server: Server) -> None:
            load = asyncio.ensure_future(deliver(server.port, queries, replies))
            while not replies:  # noqa: ASYNC110 - filled by the load
                await asyncio.sleep(0.001)
            server.process.send_signal(signal.SIGTERM)
            await load

        with serving(tmp_path) as server:
            asyncio.run(scenario(server))
            server.process.wait(SECONDS_MAX)
        assert 0 < len(recorded(replies)) < len(queries)
        assert {reply.status for reply in replies.values()} <= {200, 503}
        assert set(logged(store)) == set(recorded(replies))


class TestRudeClients:
    def test_one_that_hangs_up_before_its_answer_loses_nothing(self, tmp_path: Path, store: str) -> None:
        rude, polite, replies = signed(callstatus(r=1)), signed(callstatus(r=2)), Replies()

        async def scenario(server: Server) -> None:
            with write_lock(store):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(get(rude))
                await asyncio.sleep(0.5)
                writer.transport.abort()
                await asyncio.sleep(0.1)
            await deliver(server.port, [polite, rude], replies, connections=1)

        with serving(tmp_path) as server:
            asyncio.run(scenario(server))
            server.terminate()
            assert "Traceback" not in server.said
        assert replies[rude].json() == {"status": "duplicate", "position": 1}
        assert logged(store) == [rude, polite]

    @pytest.mark.thorough
    def test_half_a_body_holds_nobody_up(self, tmp_path: Path, store: str) -> None:
        whole, replies = signed(callstatus(r=1)), Replies()
        others = traffic(range(100))

        async def scenario(server: Server) -> None:
            writers = []
            for _ in range(50):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(post(whole[:40], length=len(whole)))
                writers.append(writer)
            await deliver(server.port, others, replies)
            for writer in writers:
                writer.transport.abort()
            assert (await ask(server.port, post(whole))).json()["status"] == "recorded"

        with serving(tmp_path) as server:
            asyncio.run(scenario(server))
            server.terminate()
            assert "50 hung up" in server.said
            assert "Traceback" not in server.said
        assert len(recorded(replies)) == 300
        assert len(logged(store)) == 301

    def test_a_header_in_pieces_and_two_requests_at_once_are_each_answered(self, tmp_path: Path) -> None:
        async def scenario(server: Server) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            request = get(signed(callstatus(r=1))) + post(signed(callstatus(r=2)))
            for start in range(0, len(request), 40):
                writer.write(request[start : start + 40])
                await asyncio.sleep(0.002)
            positions = [(await caller.read_reply(reader)).json()["position"] for _ in range(2)]
            assert positions == [1, 2]
            await caller.hang_up(writer)

        with serving(tmp_path) as server:
            asyncio.run(asyncio.wait_for(scenario(server), SECONDS_MAX))

    def test_a_query_over_the_limit_is_414_on_the_wire_too(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            assert asyncio.run(ask(server.port, get("f=tm&x=" + "x" * 20_000))).status == 414
            assert asyncio.run(ask(server.port, post("f=tm&x=" + "x" * 20_000))).status == 413
