"""A made-up TringMe for the demo: it places calls and sends their notifications, signed, as untidily as networks do.

Some notices come twice, some come late, after those that follow them.
"""

import heapq
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from random import Random

from domain.times import SECOND
from tests.benchmarks import traffic

TIMES_AS_FAST = 60
CALLS_PER_SECOND = 4
BULK_CALLS = 12
BULK_TAG = "campaign-october"
TWICE, LATE = 0.05, 0.08
LATE_SECONDS = 3.0


class Platform:
    """Sends the notifications of a few seconds' calls to a service, and keeps count of what it sent."""

    def __init__(self, port: int, seconds: int, seed: int = 7) -> None:
        """Take the service's port on this machine, for how long new calls begin, and the seed of its chances."""
        self._port = port
        self._seconds = seconds
        self._random = Random(seed)
        self.calls = self.sent = self.twice = self.late = self.refused = 0
        self.last_tag = self.last_src = ""

    def run(self) -> None:
        """Send everything, each notice when its time has come."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        began = time.monotonic()
        plan = self._plan()
        with suppress(OSError, HTTPException):  # The service was stopped.
            self._send(connection, plan, began)
        connection.close()

    def _send(self, connection: HTTPConnection, plan: list[tuple[float, int, bytes]], began: float) -> None:
        while plan:
            due, _, query = heapq.heappop(plan)
            time.sleep(max(began + due - time.monotonic(), 0))
            connection.request("GET", f"/notify?{query.decode()}")
            response = connection.getresponse()
            response.read()
            self.sent += 1
            self.refused += response.status != 200

    def books(self) -> str:
        """Return what was sent so far, as a line."""
        return (
            f"the platform sent {self.sent} notifications of {self.calls} calls,"
            f" {self.twice} of them twice and {self.late} late; {self.refused} were not taken"
        )

    def _plan(self) -> list[tuple[float, int, bytes]]:
        """Return what to send and when, in seconds from the start, as a heap."""
        plan: list[tuple[float, int, bytes]] = []
        for begins, tag, src in self._placed():
            self.calls += 1
            self.last_tag, self.last_src = tag, src
            for at, pairs in traffic.call(self._random, 0, tag, src):
                due = begins + at / (SECOND * TIMES_AS_FAST)
                self._put(plan, due, traffic.signed(pairs, self._random.randrange(1 << 31)))
        heapq.heapify(plan)
        return plan

    def _placed(self) -> Iterator[tuple[float, str, str]]:
        """Return the calls: when each begins, its tag and its number; first one tag that calls many numbers at once."""
        for number in range(BULK_CALLS):
            yield 0.5, BULK_TAG, f"1858555{number:04d}"
        for number in range(self._seconds * CALLS_PER_SECOND):
            tag = traffic.TAGS[self._random.randrange(6)]
            yield number / CALLS_PER_SECOND, tag, f"1650555{self._random.randrange(10_000):04d}"

    def _put(self, plan: list[tuple[float, int, bytes]], due: float, query: bytes) -> None:
        if self._random.random() < LATE:
            due += LATE_SECONDS
            self.late += 1
        plan.append((due, len(plan), query))
        if self._random.random() < TWICE:
            plan.append((due + 1, len(plan), query))
            self.twice += 1
