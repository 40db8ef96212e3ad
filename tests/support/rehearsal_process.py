"""``tringledger rehearse --listen`` as a process: it waits for the URL to call, is told one, and runs to its end."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.command import SECONDS_MAX, run, spawn

ANNOUNCED = re.compile(rb"api\.php at (http://\S+),")


class Rehearsal:
    """A platform that runs, or waits for its URL."""

    def __init__(self, process: subprocess.Popen[bytes], api: str) -> None:
        self.process = process
        self.api = api

    def register(self, url: str) -> str:
        """Set the notify URL, as a user's first step with TringMe; return the answer."""
        return run("register", url, TRINGME_API_URL=self.api, TRINGME_API_KEY="a-public-key").out

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def said(self, seconds_max: float = SECONDS_MAX) -> str:
        """Wait for the end, and return what was said since the start."""
        _, rest = self.process.communicate(timeout=seconds_max)
        return rest.decode()


@contextmanager
def rehearsing(*arguments: str) -> Iterator[Rehearsal]:
    """Start a platform whose URL is still to be set; what is left of it at the end is killed."""
    process = spawn("rehearse", "--listen", "0", *arguments, stderr=subprocess.PIPE)
    try:
        assert process.stderr
        announced = ANNOUNCED.match(process.stderr.readline())
        assert announced, "the stand-in did not come up"
        yield Rehearsal(process, announced[1].decode())
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
