"""Helper processes: started again should they end, told things by the pipe, and killed where they do not come to an end."""

import logging
import time
from pathlib import Path

import pytest

from api.application.process_state import ProcessState
from api.processes import supervised as children
from api.processes.supervised import SupervisedProcess
from tests.support.asgi_service import eventually

HELPER = """
import sys, time
with open({runs!r}, "a") as runs:
    runs.write(sys.stdin.readline())
print('{{"position": 7}}', flush=True)
{then}
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a file in which each run of the helper notes what it was told."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(children, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(children, "STOP_SECONDS_MAX", 0.5)
    return tmp_path / "runs"


def helper(runs: Path, then: str) -> SupervisedProcess:
    (runs.parent / "helper_of_test.py").write_text(HELPER.format(runs=str(runs), then=then))
    return SupervisedProcess("helper_of_test", ["a", "b"], stopped="it stopped", resumed="it continues")


def test_one_that_ends_is_started_again_and_both_are_told(runs: Path, caplog: pytest.LogCaptureFixture) -> None:
    child = helper(runs, "")
    with caplog.at_level(logging.INFO):
        child.start()
        eventually(lambda: runs.exists() and runs.read_text().count('["a","b"]\n') >= 3)
        child.stop()
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == [
        "it stopped at position 7: the process helper_of_test ended; restarting it",
        "it continues at position 7",
    ]


def test_one_that_does_not_end_is_killed(runs: Path) -> None:
    child = helper(runs, "time.sleep(600)")
    child.start()
    eventually(lambda: child.state == ProcessState(7))
    begun = time.monotonic()
    child.stop()
    assert 0.4 < time.monotonic() - begun < 5
    assert child.state == ProcessState(7)


def test_one_that_talks_nonsense_is_told_of_and_started_again(runs: Path) -> None:
    child = helper(runs, "print('what?', flush=True)")
    child.start()
    eventually(lambda: "failed" in child.state.failure)
    eventually(lambda: runs.read_text().count("\n") >= 2)
    child.stop()
