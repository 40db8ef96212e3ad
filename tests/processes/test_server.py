"""``serve --workers``: several processes on one port, one that dies is replaced, and all end together."""

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from api.server import open_listeners
from domain.ledger import Ledger
from domain.notices.signature import fingerprint
from tests.support.api_fixtures import named_store
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving, spawn
from tests.support.http_client import Replies, deliver
from tests.support.notices import KEY, OTHER_KEY, notices_of_call, signed
from tests.support.ports import free_port

DONE, USAGE, UNAVAILABLE = 0, 2, 3


@pytest.fixture
def migrated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a new ledger in PostgreSQL, and the private key, in the environment."""
    return named_store("postgres", request, monkeypatch)


def proc_file(process: int, name: str) -> bytes:
    """Return what the kernel says of a process; nothing if the process has ended, at whatever moment."""
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def workers_of(server: Server) -> list[int]:
    """Return the process ids of a service's workers, those that have the listening socket."""
    children = proc_file(server.process.pid, f"task/{server.process.pid}/children").split()
    return [int(child) for child in children if b"spawn_main" in proc_file(int(child), "cmdline")]


def is_running(process: int) -> bool:
    stat = proc_file(process, "stat")
    return bool(stat) and b") Z " not in stat


def queries(calls: range) -> list[str]:
    return [signed(pairs) for number in calls for pairs in notices_of_call(number)]


def delivered(server: Server, calls: range) -> Replies:
    replies = Replies()
    asyncio.run(deliver(server.port, queries(calls), replies))
    return replies


def tells(port: int, line: str) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS_MAX) as answer:
        return line in answer.read().decode().splitlines()


def test_connections_are_divided_among_the_workers_and_the_port_is_theirs_alone() -> None:
    with ExitStack() as opened:
        listeners = [opened.enter_context(each) for each in open_listeners("127.0.0.1", 0, 2)]
        (port,) = {each.getsockname()[1] for each in listeners}
        for _ in range(64):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        shares = [waiting(each) for each in listeners]
        assert sum(shares) == 64
        assert min(shares) > 8
        with pytest.raises(OSError, match="in use"):
            open_listeners("127.0.0.1", port, 2)


def waiting(listener: socket.socket) -> int:
    """Take all connections that wait, and return how many did."""
    listener.settimeout(0)
    taken = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            taken += 1
    return taken


@pytest.mark.thorough
def test_all_workers_take_callbacks_of_one_ledger_each_once(
    tmp_path: Path, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    monkeypatch.delenv("TRINGME_PRIVATE_KEY")
    monkeypatch.setenv("TRINGME_PRIVATE_KEY_FILE", str(key))
    monkeypatch.setenv("TRINGLEDGER_METRICS", f"127.0.0.1:{(metrics_port := free_port())}")
    with serving(tmp_path, "--workers", "2") as server:
        eventually(lambda: server.said.count("takes callbacks") == 2, SECONDS_MAX)
        replies = delivered(server, range(60))
        again = delivered(server, range(60))
        for outcome in ("recorded", "duplicate"):
            counted = f'tringledger_callbacks_total{{code="200",outcome="{outcome}"}} 180.0'
            eventually(partial(tells, metrics_port, counted))
        assert tells(metrics_port, 'tringledger_up{part="intake"} 1.0')
        key.write_text(f"{KEY}\n{OTHER_KEY}")
        server.process.send_signal(signal.SIGHUP)
        both = f"keys were read again: active {fingerprint(KEY)}, {fingerprint(OTHER_KEY)}; retired none"
        eventually(lambda: server.said.count(both) == 2)
        assert server.terminate() in {DONE, -signal.SIGTERM}
        assert server.said.count("stopped; since start: ") == 2
        assert "Traceback" not in server.said
    positions = [reply.json()["position"] for reply in replies.values()]
    assert {reply.status for reply in replies.values()} == {200}
    assert sorted(positions) == list(range(1, 181))
    assert [again[query].json()["position"] for query in replies] == positions
    with Ledger(migrated) as ledger:
        assert ledger.head() == 180


@pytest.mark.usefixtures("migrated")
def test_a_worker_that_dies_is_replaced_and_the_others_go_on(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        eventually(lambda: len(workers_of(server)) == 2)
        delivered(server, range(5))
        victim, other = workers_of(server)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(workers_of(server)) == 2 and victim not in workers_of(server))
        assert other in workers_of(server)
        assert {reply.status for reply in delivered(server, range(5, 10)).values()} == {200}


@pytest.mark.usefixtures("migrated")
def test_where_the_first_process_is_killed_the_workers_end_too(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2") as server:
        eventually(lambda: len(workers_of(server)) == 2)
        delivered(server, range(2))
        left = workers_of(server)
        server.kill()
        eventually(lambda: not any(map(is_running, left)))


@pytest.mark.usefixtures("migrated")
@pytest.mark.thorough
def test_ctrl_c_ends_all_and_is_an_ordinary_end(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2", wrapper=("setsid",)) as server:
        eventually(lambda: len(workers_of(server)) == 2)
        delivered(server, range(2))
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(SECONDS_MAX) == DONE
        assert "Traceback" not in server.said


@pytest.mark.only_on("sqlite")
@pytest.mark.usefixtures("store")
def test_with_a_sqlite_file_it_is_refused_with_the_reason() -> None:
    said = run("serve", "--workers", "2")
    assert (said.code, said.out) == (USAGE, "")
    assert "--workers 2 needs a store in PostgreSQL: a SQLite file has one writer at a time" in said.err


@pytest.mark.usefixtures("migrated")
def test_a_port_that_is_taken_is_named() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        process = spawn("serve", "--workers", "2", "--port", str(port), stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == UNAVAILABLE
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in said.decode()
