"""Eight slow readers of large files: a process of the service makes them, pages answer meanwhile, each reader gets all, and nothing is left."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.benchmarks.pages import ledger_of_calls
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving
from tests.support.notices import KEY

CALLS, READERS = 6_000, 8
MODULE = b"api.processes.download_process"


class SlowReader:
    """A client that asks for all CDRs, and reads the file only when the test says so."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.connection = HTTPConnection("127.0.0.1", port)
        self.connection.sock = socket.socket()
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.connection.sock.settimeout(SECONDS_MAX)
        self.connection.sock.connect(("127.0.0.1", port))
        self.connection.request("GET", "/api/v1/cdrs.csv", headers=headers)

    def answer(self) -> HTTPResponse:
        """Return the answer as soon as its head is there; reading it raises IncompleteRead where it breaks off."""
        return self.connection.getresponse()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    ledger_of_calls(tmp_path / "ledger.db", CALLS).close()
    monkeypatch.setenv("TRINGLEDGER_STORE", f"sqlite:///{tmp_path}/ledger.db")
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    with serving(tmp_path) as running:
        yield running


def makers() -> set[int]:
    """Return the ids of all processes that make downloads."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if MODULE in (process / "cmdline").read_bytes():
                found.add(int(process.name))
        except OSError:
            continue  # It has ended.
    return found


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.thorough
def test_they_hold_up_nobody_and_the_process_ends_with_the_service(server: Server) -> None:
    token = run("user", "add", "ann", "--role", "read", "--role", "export", "--role", "pii").out.strip()
    headers = {"Authorization": f"Bearer {token}"}
    with ExitStack() as open_ones:
        readers = [SlowReader(server.port, headers) for _ in range(READERS)]
        for reader in readers:
            open_ones.enter_context(closing(reader.connection))
        answers = [reader.answer() for reader in readers]
        assert [answer.status for answer in answers] == [200] * READERS
        ours = [process for process in makers() if parent_of(process) == server.process.pid]
        assert len(ours) == 1, "one process makes all of them"
        for path in ("/calls", "/api/v1/cdrs", "/health"):
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=SECONDS_MAX)) as onlooker:
                onlooker.request("GET", path, headers=headers)
                assert onlooker.getresponse().status == 200
        files = {answer.read() for answer in answers}
    assert files == {run("export", "cdrs").out.encode()}
    server.terminate()
    eventually(lambda: not {*ours} & makers())
