"""The demo does what the README says of it: it starts, calls, shows, compares the books, stays, and goes when told to."""

import os
import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]


def test_the_demo_shows_calls_and_billing_and_leaves_the_service_running_until_interrupted(tmp_path: Path) -> None:
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.demo", "--port", str(port), "--seconds", "3"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout
    printed = ""
    for line in demo.stdout:
        printed += line
        if "is the service well" in line:
            break

    assert _health(port) == 200
    links = re.findall(rf"http://127\.0\.0\.1:{port}(/sign-in\?link=\S+)", printed)
    assert [_signs_in(port, link) for link in links] == [True, True]
    assert not _signs_in(port, links[0])
    demo.send_signal(signal.SIGINT)
    rest, errors = demo.communicate(timeout=30)
    assert demo.returncode == 0, errors
    assert "; 0 wrongly answered" in printed
    assert "campaign 1 r7  20" in printed
    assert "The ledger agrees, call by call, to the last digit." in printed
    assert "recorded" in errors
    with pytest.raises(OSError, match="refused"):
        _health(port)
    assert "stopping the service" in rest


def _signs_in(port: int, link: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", link)
        answer = connection.getresponse()
        return answer.status == 303 and "tringledger=" in answer.headers["Set-Cookie"]
    finally:
        connection.close()


def _health(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()
