"""Server-sent events over a real service: who may have them, what they resume from, and that they hold nobody up."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.api_fixtures import named_store
from tests.support.command import run, serving
from tests.support.notices import callstatus, signed

SECONDS, STOP_SECONDS_MAX = 30, 8


@pytest.fixture
def token(store: str) -> str:
    del store
    run("import", "-", stdin=b"")
    return run("user", "add", "ann", "--role", "read").out.strip()


@contextmanager
def listening(port: int, token: str, **headers: str) -> Iterator[socket.socket]:
    """Open a live page's stream."""
    asked = {"Host": "127.0.0.1", "Accept": "text/event-stream", "Authorization": f"Bearer {token}", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in asked.items())
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall(f"GET /live/events HTTP/1.1\r\n{lines}\r\n".encode())
        yield connection


def heard(connection: socket.socket, wanted: bytes) -> bytes:
    """Read until something was said, and return all that was."""
    received = b""
    while wanted not in received:
        chunk = connection.recv(65_536)
        assert chunk, received
        received += chunk
    return received


def call_back(port: int, *queries: str) -> None:
    for query in queries:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall(f"GET /notify?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_callback_is_pushed_and_who_comes_again_gets_what_was_missed(tmp_path: Path, token: str) -> None:
    with serving(tmp_path) as server:
        with listening(server.port, token) as page:
            first = heard(page, b"event: reset")
            assert b"content-type: text/event-stream" in first.lower()
            call_back(server.port, signed(callstatus(r=1, tag="one")))
            assert b"id: 1\n" in heard(page, b'"tag":"one"')
        call_back(server.port, signed(callstatus(r=2, tag="two")))
        with listening(server.port, token, Last_Event_ID="1") as page:
            said = heard(page, b'"tag":"two"')
        assert b"event: change" in said
        assert b'"tag":"one"' not in said
        assert b"18585550001" not in said


@pytest.mark.thorough
def test_every_worker_pushes_what_any_of_them_recorded(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    named_store("postgres", request, monkeypatch)
    token = run("user", "add", "ann", "--role", "read").out.strip()
    with serving(tmp_path, "--workers", "2") as server, ExitStack() as pages:
        opened = [pages.enter_context(listening(server.port, token)) for _ in range(8)]
        for page in opened:
            heard(page, b"event: reset")
        call_back(server.port, signed(callstatus(r=1, tag="one")))
        for page in opened:
            heard(page, b'"tag":"one"')
        begun = time.monotonic()
        server.terminate()
        assert time.monotonic() - begun < STOP_SECONDS_MAX


def test_who_is_not_signed_in_gets_none(tmp_path: Path, token: str) -> None:
    assert token
    with serving(tmp_path) as server, listening(server.port, "wrong") as page:
        assert page.recv(65_536).startswith(b"HTTP/1.1 401")


def test_an_open_page_does_not_hold_the_service_up_when_it_stops(tmp_path: Path, token: str) -> None:
    with serving(tmp_path) as server, listening(server.port, token) as page:
        heard(page, b"event: reset")
        begun = time.monotonic()
        server.terminate()
        assert time.monotonic() - begun < STOP_SECONDS_MAX
        assert "Traceback" not in server.said
