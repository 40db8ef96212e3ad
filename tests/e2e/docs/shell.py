"""A user's shell in a fresh folder, in which a document's commands are typed."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, chdir, closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from http.client import HTTPConnection, HTTPException
from io import BytesIO, TextIOWrapper
from itertools import pairwise
from pathlib import Path
from typing import IO
from unittest.mock import patch
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from api.cli.main import main
from tests.e2e.docs.documents import ROOT
from tests.support.ports import free_port

BIN = Path(sys.executable).parent
PORT_IN_DOCUMENTS = "8000"
START_SECONDS_MAX = 20
# A command of ours without what a shell has to work out (variables, patterns), its redirections, and what it is piped into.
OURS = re.compile(
    r"""tringledger\ (?P<words>(?:'[^']*'|"[^"$`]*"|[^'"|&;<>$*`])+?)
        (?P<redirections>(?:\s2?>\s*[\w./-]+)*)
        (?:\s*\|(?P<rest>.*))?""",
    re.VERBOSE | re.DOTALL,
)
REDIRECTION = re.compile(r"(2?)>\s*(\S+)")


def fetched(url: str, headers: dict[str, str]) -> str:
    """Do what ``curl -s`` does, on machines that have none."""
    try:
        with urlopen(Request(url, headers=headers), timeout=20) as answer:
            return str(answer.read().decode())
    except HTTPError as refused:
        with refused:
            return refused.read().decode()


class Shell:
    """Runs what a document shows; ``export`` lasts, and ``&`` starts a service.

    A tringledger command runs in this process, which spares its start; what it is piped into, and all else, is handed to ``sh``.
    """

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "tests/samples", folder / "tests/samples")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRINGLEDGER_", "TRINGME_"))}
        self.environment = kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        self.folder = folder
        self.port = free_port()
        self.services: list[tuple[subprocess.Popen[str], str]] = []

    def run(self, command: str) -> str:
        """Run a command and return what a terminal would show of it."""
        command = command.replace(PORT_IN_DOCUMENTS, str(self.port))
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = value
            return ""
        if command.startswith("unset "):
            del self.environment[command.removeprefix("unset ")]
            return ""
        if command.startswith("curl "):
            *options, url = self._words(command.removeprefix("curl "))
            pairs = [text.split(": ", 1) for option, text in pairwise(options) if option == "-H"]
            return fetched(url, dict(pairs))
        if ours := OURS.fullmatch(command):
            return self._run_ours(**ours.groupdict())
        return self._run_in_sh(f"{{ {command} ; }} 2>&1")

    def _run_ours(self, words: str, redirections: str, rest: str | None) -> str:
        """Run a command of ours; files get what is redirected, ``rest`` what it is piped into, and a terminal what is left."""
        shown, piped = BytesIO(), BytesIO()
        streams = {"": piped if rest else shown, "2": shown}
        with ExitStack() as opened:
            for number, file in REDIRECTION.findall(redirections):
                streams[number] = opened.enter_context((self.folder / file).open("wb"))
            self._run_here(shlex.split(words), streams[""], streams["2"])
        printed = shown.getvalue().decode().replace("\r\n", "\n")
        return printed + (self._run_in_sh(f"{{ {rest} ; }} 2>&1", piped.getvalue()) if rest else "")

    def _run_here(self, arguments: list[str], out: IO[bytes], err: IO[bytes]) -> None:
        written = {
            stream: TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True) for stream in {out, err}
        }
        on_termination = signal.getsignal(signal.SIGTERM)
        try:
            with (
                patch.dict(os.environ, self.environment, clear=True),
                chdir(self.folder),
                redirect_stdout(written[out]),
                redirect_stderr(written[err]),
            ):
                main.main(arguments, prog_name="tringledger")
        except SystemExit:
            pass
        finally:
            signal.signal(signal.SIGTERM, on_termination)
            for stream in written.values():
                stream.detach()

    def _run_in_sh(self, command: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            input=stdin,
            timeout=60,
        )
        return done.stdout.decode().replace("\r\n", "\n")

    def _words(self, arguments: str) -> list[str]:
        """Return arguments as the shell hands them to a command."""
        return self._run_in_sh(f"printf '%s\\n' {arguments}").splitlines()

    def start(self, command: str, shown: str) -> None:
        """Start a service, and remember what it should print."""
        command = command.removesuffix("&").replace(PORT_IN_DOCUMENTS, str(self.port))
        service = subprocess.Popen(
            shlex.split(command), cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        self.services.append((service, shown.replace(PORT_IN_DOCUMENTS, str(self.port))))
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        for _ in range(START_SECONDS_MAX * 20):
            connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
            with suppress(OSError, HTTPException), closing(connection):
                connection.request("GET", "/health")
                health = msgspec.json.decode(connection.getresponse().read())
                if health["read_models"]["lag"] == 0:
                    return
            time.sleep(0.05)
        pytest.fail("the service of the document did not come up")

    def stop(self) -> Iterator[tuple[str, str]]:
        """Stop the services, and return what each should have printed, and what it did."""
        for service, shown in self.services:
            service.terminate()
            _, printed = service.communicate(timeout=20)
            yield shown, printed


@contextmanager
def shell(folder: Path) -> Iterator[Shell]:
    """Give a shell in a folder; at its end no service of it is left."""
    opened = Shell(folder)
    try:
        yield opened
    finally:
        for service, _ in opened.services:
            if service.poll() is None:
                service.kill()
                service.communicate()
