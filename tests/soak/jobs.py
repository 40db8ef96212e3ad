"""Jobs for a writer, what it says, and the writer as the soak holds it: a process that forks a child for each job."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import IO

import msgspec

from tests.soak.interposer import Interposer

ROOT = Path(__file__).parents[2]


class Step(msgspec.Struct):
    """One thing to do: ``record`` notices in one transaction, an operator's act, or ``follow`` with the read models."""

    what: str
    queries: list[str] = []
    reason: str = ""
    amount: int = 0  # Millionths of a cent, or percent of a tariff.
    month: str = ""
    number: int = 0  # Which call or event an act is about (see acts).


class Job(msgspec.Struct):
    """Steps to take with the ledger at an address."""

    url: str
    steps: list[Step]


class Said(msgspec.Struct):
    """What became of a step: ``done`` at these positions, ``rejected`` (never to be), ``refused`` (not now).

    Without a step: ``refused`` for all, ``crashed``, and at last ``ended`` with the exit code as position.
    """

    step: int
    what: str
    positions: list[int] = []
    journal_bytes: int = 0
    text: str = ""


class Writer:
    """A running writer."""

    def __init__(self, interposer: Interposer) -> None:
        """Start it under the interposer."""
        command = [sys.executable, "-P", "-m", "tests.soak.writer"]
        environment = {**interposer.environment, "PYTHONPATH": str(ROOT)}
        with interposer.journal.with_name("writer.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True
            )

    def work(self, url: str, steps: Sequence[Step]) -> Iterator[Said]:
        """Have a job done, and yield what is said, until and with its end."""
        stdin, stdout = self._pipes()
        stdin.write(msgspec.json.encode(Job(url, list(steps))).decode() + "\n")
        stdin.flush()
        for line in stdout:
            said = msgspec.json.decode(line, type=Said)
            yield said
            if said.what == "ended":
                return
        msg = "the writer ended before its job did"
        raise AssertionError(msg)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin
        assert self.process.stdout
        return self.process.stdin, self.process.stdout

    def close(self) -> None:
        """End it, and wait."""
        for pipe in self._pipes():
            pipe.close()
        self.process.wait(30)


@contextmanager
def writer(interposer: Interposer) -> Iterator[Writer]:
    """Start a writer, and end it."""
    made = Writer(interposer)
    try:
        yield made
    finally:
        made.close()


def was_killed(said: Said) -> bool:
    """Whether the child that ended so was killed."""
    return said.positions == [-SIGKILL]
