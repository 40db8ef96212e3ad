"""Group commit: the callbacks of a moment share one transaction, and each waits for that commit, not for its own.

Syncing to disk is what a callback costs; nobody is answered before the disk has it. A thread waits for the store's lock
and for the disk. What lies between, the decisions, runs on the event loop where the store is a file: in the thread each of
its many short queries would give up the interpreter's lock and then wait for the loop to yield it. A store across a
network is asked few questions, but each may take long: there the thread decides too. The queue is bounded: what does not
fit is refused at once, so that the sender keeps the notification.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from domain.errors import LedgerError, StoreUnavailable
from domain.outcomes import RecordOutcome
from domain.recording import Delivery, Recording

BATCH_MAX = 256
FAILING_SECONDS = 5.0

_log = logging.getLogger(__name__)

Begin = Callable[[], AbstractContextManager[Recording]]
Waiting = tuple[Delivery, "asyncio.Future[RecordOutcome]"]


class IntakeBusy(LedgerError):
    """The queue is full, or the service is stopping: the sender must come again."""


class Intake:
    """Takes deliveries from the event loop, records them in batches, and hands back what became of each."""

    def __init__(self, begin: Begin, queue_max: int, *, is_remote: bool = False) -> None:
        """Take what begins a durable transaction, how many deliveries may wait for one, and where the store is."""
        self._begin = begin
        self._is_remote = is_remote
        self._queue_max = queue_max
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._waiting = 0
        self._stopping = False
        self._thread = Thread(target=self._run, name="intake", daemon=True)
        self._failure, self._failed_at = "", 0.0

    def start(self) -> None:
        """Begin to write; call it from the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Write what is waiting, refuse what still comes, and end the thread."""
        self._stopping = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def record(self, delivery: Delivery) -> RecordOutcome:
        """Record a delivery and return what became of it, once that is on disk.

        Raises Busy, or StoreUnavailable; then nothing was kept.
        """
        if self._stopping or self._waiting >= self._queue_max:
            raise IntakeBusy(
                "the service is stopping" if self._stopping else f"{self._waiting} callbacks are waiting already"
            )
        future: asyncio.Future[RecordOutcome] = self._loop.create_future()
        self._waiting += 1
        self._queue.put((delivery, future))
        return await future

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                return
            outcomes = self._record_all([delivery for delivery, _ in batch])
            self._loop.call_soon_threadsafe(self._resolve_futures, batch, outcomes)

    def _next_batch(self) -> list[Waiting]:
        """Wait for a delivery and take what else is there by now; nothing once the service stops."""
        batch: list[Waiting] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH_MAX:
                return batch
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch
        if batch:
            # The end was reached together with the last deliveries: it must be seen again after them.
            self._queue.put(None)
        return batch

    def _record_all(self, deliveries: list[Delivery]) -> list[RecordOutcome | Exception]:
        try:
            answers = self._record(deliveries)
        except StoreUnavailable as error:
            self._log_failure(str(error))
            return [error] * len(deliveries)
        except Exception:  # noqa: BLE001 - whatever it is, every callback of the batch needs its answer
            # One of them cannot be written, and must not take the others with it.
            _log.exception("a batch of %d could not be recorded; recording each alone", len(deliveries))
            return [self._record_one(delivery) for delivery in deliveries]
        self._log_failure("")
        return list(answers)

    def _record(self, deliveries: list[Delivery]) -> list[RecordOutcome]:
        with self._begin() as recording:
            if self._is_remote:
                return recording.record_all(deliveries)
            return self._on_loop(lambda: recording.record_all(deliveries))

    def _on_loop(self, decide: Callable[[], list[RecordOutcome]]) -> list[RecordOutcome]:
        """Run something on the event loop's thread, and wait for it."""
        decided: Future[list[RecordOutcome]] = Future()

        def run() -> None:
            try:
                decided.set_result(decide())
            except BaseException as error:  # noqa: BLE001 - belongs to the thread that waits, and ends its transaction
                decided.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return decided.result()

    def _record_one(self, delivery: Delivery) -> RecordOutcome | Exception:
        try:
            return self._record([delivery])[0]
        except Exception as error:  # noqa: BLE001 - goes to the one callback that it concerns
            _log.exception("a notification could not be recorded")
            return error

    def recent_failure(self) -> str:
        """Return why callbacks could not be recorded a moment ago, or nothing.

        It passes after a while: whoever sends callbacks by what ``/health`` says must come back to find out.
        """
        return self._failure if monotonic() < self._failed_at + FAILING_SECONDS else ""

    def _log_failure(self, failure: str) -> None:
        if failure and failure != self._failure:
            _log.error("callbacks are answered with 503: %s", failure)
        elif self._failure and not failure:
            _log.info("callbacks are recorded again")
        self._failure, self._failed_at = failure, monotonic()

    def _resolve_futures(self, batch: list[Waiting], outcomes: Sequence[RecordOutcome | Exception]) -> None:
        self._waiting -= len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue  # The sender hung up meanwhile; what was recorded stays so.
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
