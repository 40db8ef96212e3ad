"""The command ``tringledger``: in process, where that is enough, or as a process of its own."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from click.testing import CliRunner

from api.cli.main import main
from tests.support.ports import free_port

SECONDS_MAX = 30
PROGRAM = str(Path(sys.executable).with_name("tringledger"))


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return msgspec.json.decode(self.out)


def run(*arguments: str, stdin: str | bytes = b"", **environment: str) -> Said:
    """Run the command in process; an error that it does not map to an exit code is raised."""
    result = CliRunner().invoke(main, arguments, input=stdin, env=environment, prog_name="tringledger")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout_bytes.decode(), result.stderr)


def spawn(*arguments: str, wrapper: Sequence[str] = (), **options: Any) -> subprocess.Popen[bytes]:
    """Start the command as a process; the environment is this one's."""
    return subprocess.Popen([*wrapper, PROGRAM, *arguments], **options)


def run_alone(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> Said:
    """Run the command as a process and wait for its end."""
    done = subprocess.run(
        [PROGRAM, *arguments], input=stdin, capture_output=True, timeout=SECONDS_MAX, cwd=cwd, check=False
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


class Server:
    """A running ``tringledger serve``: its port, its process, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """End it as a power cut would: without a chance to do anything."""
        self.process.kill()
        self.process.wait(SECONDS_MAX)

    def terminate(self) -> int:
        """Tell it to stop and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS_MAX)


@contextmanager
def serving(directory: Path, *arguments: str, wrapper: Sequence[str] = (), port: int = 0) -> Iterator[Server]:
    """Run ``tringledger serve`` on a port (0: a free one); what is left of it at the end is killed."""
    log, port = directory / "serve.log", port or free_port()
    with log.open("ab") as stderr:
        process = spawn("serve", "--port", str(port), *arguments, wrapper=wrapper, stdout=stderr, stderr=stderr)
    server = Server(process, port, log)
    try:
        _wait_until_up(server)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


def _wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    msg = f"the service did not come up: {server.said[-2000:]}"
    raise AssertionError(msg)
