"""A server in a process of its own on a free port, and the load from another process that it has to bear."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
LOAD_SECONDS_MAX = 120


class Load(msgspec.Struct, frozen=True):
    """What the load found: answers with 200 and others, the seconds it took, and latencies in milliseconds."""

    answered: int
    refused: int
    seconds: float
    p50: float
    p99: float


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], port: int, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; raises RuntimeError, with what it said, where it does not come up."""
    with log.open("wb") as said:
        server = subprocess.Popen(command, env=environment_with(environment), stdout=said, stderr=said)
        try:
            _wait_until_up(server, port, log)
            yield server
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def environment_with(environment: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, without settings of ours that happen to be there, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRINGLEDGER_", "TRINGME_"))}
    return kept | dict(environment)


def _wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    msg = f"the server did not come up: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)


def load(port: int, queries: Path, connections: int) -> Load:
    """Send every query of a file, one a line, as a callback of its own; raises RuntimeError unless all get 200."""
    client = [sys.executable, "-m", "tests.benchmarks.load", str(port), str(queries), str(connections)]
    done = subprocess.run(client, stdout=subprocess.PIPE, timeout=LOAD_SECONDS_MAX, check=True)
    found = msgspec.json.decode(done.stdout, type=Load)
    if found.refused:
        msg = f"{found.refused} of {found.refused + found.answered} callbacks were not answered with 200"
        raise RuntimeError(msg)
    return found
