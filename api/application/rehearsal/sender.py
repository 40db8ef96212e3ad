"""Sends every request of the plan when it is due, and retries after a failure or a 5xx until its final answer.

TringMe is expected to do the same: a notice that was not accepted is sent again.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from api.application.rehearsal.expected_books import ExpectedBooks
from api.application.rehearsal.plan import PATIENCE_SECONDS, Chain, PlannedRequest
from api.application.rehearsal.raw_http import FAILURES, RawHttpClient, RawResponse
from api.application.rehearsal.target_url import TargetUrl
from domain.errors import StoreUnavailable
from domain.times import SECOND

CONNECTIONS_MAX = 64
ANSWER_SECONDS_MAX = 10.0
WAIT_SECONDS, WAIT_SECONDS_MAX = 0.05, 2.0
START_SECONDS_MAX = 3.0
FINISH_SECONDS = 3.0
SERVER_ERROR = 500
HALF = 0.5


class TargetUnreachable(StoreUnavailable):
    """Nothing answers at the notify URL."""


class RequestSender:
    """Sends a plan, and keeps its books."""

    def __init__(
        self,
        target: TargetUrl,
        plan: Sequence[Chain],
        books: ExpectedBooks,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Send ``plan`` to ``target``; a notice is retried for ``patience_seconds``."""
        self._target = target
        self._plan = sorted((chain for chain in plan if chain), key=lambda chain: chain[0].due)
        self._books = books
        self._patience = patience_seconds
        self._stopping = False
        self.total = sum(len(chain) for chain in plan)
        self.sent = self.again = self.given_up = 0

    async def run(self, moved: Callable[[int], None] = lambda _: None) -> None:
        """Send everything; ``moved`` gets the number of finished requests.

        Raises TargetUnreachable if the service cannot be reached at the beginning. When cancelled, it sends nothing new,
        waits a moment for running requests, and ends.
        """
        self._moved = moved
        self._wire = RawHttpClient(self._target)
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)
        self._loop = asyncio.get_running_loop()
        await self._check()
        self._began = self._loop.time()
        tasks: list[asyncio.Task[None]] = []
        try:
            for chain in self._plan:
                await self._until(chain[0].due)
                tasks.append(asyncio.create_task(self._work_off(chain)))
            await _finished(tasks)
        except asyncio.CancelledError:
            self._stopping = True
            if tasks:
                await asyncio.wait(tasks, timeout=FINISH_SECONDS)
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._wire.close()

    async def _check(self) -> None:
        """Check that the service can be reached; it may take a moment to start."""
        deadline = self._loop.time() + min(START_SECONDS_MAX, self._patience)
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    connection = await self._wire.open()
            except FAILURES as error:
                if self._loop.time() > deadline:
                    msg = f"no service at {self._target.host} port {self._target.port}: {error}"
                    raise TargetUnreachable(msg) from None
                await asyncio.sleep(WAIT_SECONDS)
            else:
                connection.drop()
                return

    async def _until(self, due: int) -> None:
        await asyncio.sleep(max(self._began + due / SECOND - self._loop.time(), 0))

    async def _work_off(self, chain: Chain) -> None:
        for sending in chain:
            await self._until(sending.due)
            if self._stopping or not await self._deliver(sending):
                return  # The next requests of the chain may only follow this one.
            self.sent += 1
            self._moved(self.sent)

    async def _deliver(self, sending: PlannedRequest) -> bool:
        """Send a request until it is answered; return whether it was."""
        if sending.what == "garbage":
            await self._throw(sending)
            return True
        self._books.begin(sending)
        deadline = self._loop.time() + self._patience
        wait = WAIT_SECONDS
        await self._misbehave(sending)
        while True:
            answer = await self._attempt(sending)
            if answer and answer.status < SERVER_ERROR:
                self._books.answer(sending, answer.status)
                return True
            pause = answer.retry_after if answer and answer.retry_after is not None else wait
            if self._stopping or self._loop.time() + pause > deadline:
                self.given_up += 1
                return False
            self.again += 1
            await asyncio.sleep(pause)
            wait = min(wait * 2, WAIT_SECONDS_MAX)

    async def _attempt(self, sending: PlannedRequest) -> RawResponse | None:
        """Send a request once; return None if it failed or took too long."""
        with suppress(*FAILURES):
            async with self._free, asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._wire.ask(sending, slowly=sending.manner == "slow")
        return None

    async def _misbehave(self, sending: PlannedRequest) -> None:
        """Start like a bad network: send half of the request, or hang up before the answer."""
        if sending.manner in ("half", "impatient"):
            with suppress(*FAILURES):
                async with self._free, asyncio.timeout(ANSWER_SECONDS_MAX):
                    await self._wire.send_partially(sending, HALF if sending.manner == "half" else 1)

    async def _throw(self, sending: PlannedRequest) -> None:
        """Send garbage as soon as the service accepts a connection; an answer is noted but not required."""
        deadline = self._loop.time() + self._patience
        with suppress(*FAILURES):
            while not await self._is_thrown(sending):
                if self._stopping or self._loop.time() + WAIT_SECONDS > deadline:
                    return
                await asyncio.sleep(WAIT_SECONDS)

    async def _is_thrown(self, sending: PlannedRequest) -> bool:
        """Send garbage; return whether the service was there. Raises one of FAILURES."""
        try:
            async with self._free, asyncio.timeout(ANSWER_SECONDS_MAX):
                answer = await self._wire.send_raw(sending.raw)
        except ConnectionError:
            return False
        self._books.answer(sending, answer.status)
        return True


async def _finished(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all tasks; raises the error of any, which would be a bug."""
    if tasks:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task.done():
            task.result()
