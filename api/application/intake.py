"""Group commit: callbacks that arrive together share one transaction, and are answered after its commit.

Syncing to disk is the cost of a callback, and no callback is answered before the commit. A thread waits for the store's
lock and for the disk. Between the two, with a SQLite store, the decisions run on the event loop: in the thread, each of
their many short queries would release the interpreter's lock and wait to get it back. With a store across a network there
are few queries, but each may take long, so the thread decides too. What comes while the thread waits for the lock is in the
same transaction. The queue is bounded: further callbacks are refused at once, so that TringMe retries them.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from threading import Thread
from time import monotonic

from api.application.delivery_queue import DeliveryQueue
from api.application.spool.callback_spool import CallbackSpool, Spooled
from domain.errors import LedgerError, StoreLocked, StoreUnavailable
from domain.outcomes import RecordOutcome
from domain.recording import Delivery, Recording

BATCH_MAX = 256
FAILING_SECONDS = 5.0
# A lock that another program holds for longer is something that an operator must look at.
LOCKED_SECONDS_MAX = 60.0
EARLIER_WAIT = "earlier callbacks wait in the spool"

_log = logging.getLogger(__name__)

Begin = Callable[[], AbstractContextManager[Recording]]
IntakeOutcome = RecordOutcome | Spooled
Waiting = tuple[Delivery, "asyncio.Future[IntakeOutcome]"]


class IntakeBusy(LedgerError):
    """The queue is full or the service is stopping: the sender must retry."""


class Batch:
    """The deliveries that share a transaction: taken from the queue when they are first asked for."""

    def __init__(self, queue: DeliveryQueue[Waiting]) -> None:
        """Begin without any."""
        self._queue = queue
        self.waiting: list[Waiting] = []

    def deliveries(self) -> list[Delivery]:
        """Return them, the same each time."""
        self.waiting = self.waiting or self._queue.take()
        return [delivery for delivery, _ in self.waiting]


class Intake:
    """Takes deliveries from the event loop, records them in batches, and returns the outcome of each."""

    def __init__(
        self, begin: Begin, queue_max: int, *, is_remote: bool = False, spool: CallbackSpool | None = None
    ) -> None:
        """Record in transactions that ``begin`` opens, with at most ``queue_max`` deliveries waiting, or into a ``spool``."""
        self._begin = begin
        self._spool = spool
        self._is_remote = is_remote
        self._queue_max = queue_max
        self._queue: DeliveryQueue[Waiting] = DeliveryQueue(BATCH_MAX)
        self._waiting = 0
        self._stopping = False
        self._thread = Thread(target=self._run, name="intake", daemon=True)
        self._failure, self._failed_at, self._locked_since = "", 0.0, 0.0

    def start(self) -> None:
        """Start the thread; call it from the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Record waiting deliveries, refuse further ones, and end the thread."""
        self._stopping = True
        self._queue.close()
        await asyncio.to_thread(self._thread.join)

    async def record(self, delivery: Delivery) -> IntakeOutcome:
        """Record a delivery, and return its outcome after the commit; or spool it, and return that once it is on disk.

        Raises IntakeBusy or StoreUnavailable; then nothing was kept.
        """
        if self._stopping or self._waiting >= self._queue_max:
            raise IntakeBusy(
                "the service is stopping" if self._stopping else f"{self._waiting} callbacks are already waiting"
            )
        future: asyncio.Future[IntakeOutcome] = self._loop.create_future()
        self._waiting += 1
        self._queue.put((delivery, future), self._loop)
        return await future

    def _run(self) -> None:
        while self._queue.wait():
            batch = Batch(self._queue)
            outcomes = self._record_all(batch)
            self._loop.call_soon_threadsafe(self._resolve_futures, batch.waiting, outcomes)

    def _record_all(self, batch: "Batch") -> list[IntakeOutcome | Exception]:
        if self._spool is not None and self._spool.holds:
            return self._spool_all(self._spool, batch.deliveries(), StoreUnavailable(EARLIER_WAIT))
        try:
            answers = self._record(batch.deliveries)
        except StoreUnavailable as error:
            if self._spool is not None:
                return self._spool_all(self._spool, batch.deliveries(), error)
            self._log_failure(str(error), is_locked=isinstance(error, StoreLocked))
            return [error] * len(batch.deliveries())
        except Exception:  # noqa: BLE001 - every callback of the batch needs an answer
            # One delivery that cannot be recorded must not fail the others.
            deliveries = batch.deliveries()
            _log.exception("cannot record a batch of %d; recording each by itself", len(deliveries))
            return [self._record_one(delivery) for delivery in deliveries]
        self._log_failure("")
        return list(answers)

    def _spool_all(
        self, spool: CallbackSpool, deliveries: list[Delivery], error: StoreUnavailable
    ) -> list[IntakeOutcome | Exception]:
        """Spool what the store cannot take now; what the spool cannot take either has failed."""
        outcomes = spool.take(deliveries, error)
        refused = [
            outcome
            for delivery, outcome in zip(deliveries, outcomes, strict=True)
            if delivery.verdict and isinstance(outcome, Exception)
        ]
        self._log_failure(str(refused[0]) if refused else "")
        return list(outcomes)

    def _record(self, deliveries: Callable[[], list[Delivery]]) -> list[RecordOutcome]:
        """Record what ``deliveries`` returns once the store's lock is held."""
        with self._begin() as recording:
            if self._is_remote:
                return recording.record_all(deliveries())
            return self._on_loop(lambda: recording.record_all(deliveries()))

    def _on_loop(self, decide: Callable[[], list[RecordOutcome]]) -> list[RecordOutcome]:
        """Run a function on the event loop's thread, and wait for its result."""
        decided: Future[list[RecordOutcome]] = Future()

        def run() -> None:
            try:
                decided.set_result(decide())
            except BaseException as error:  # noqa: BLE001 - raised in the waiting thread, where it ends the transaction
                decided.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return decided.result()

    def _record_one(self, delivery: Delivery) -> IntakeOutcome | Exception:
        if self._spool is not None and self._spool.holds:
            return self._spool_all(self._spool, [delivery], StoreUnavailable(EARLIER_WAIT))[0]
        try:
            return self._record(lambda: [delivery])[0]
        except StoreUnavailable as error:
            return error if self._spool is None else self._spool_all(self._spool, [delivery], error)[0]
        except Exception as error:  # noqa: BLE001 - passed to its callback
            _log.exception("cannot record a notification")
            return error

    @property
    def waiting(self) -> int:
        """How many deliveries wait to be recorded."""
        return self._waiting

    def recent_failure(self) -> str:
        """Return why callbacks could not be recorded a moment ago, or nothing.

        It passes after a while: a proxy that sends callbacks by what ``/health`` says must come back to find out.
        """
        return self._failure if monotonic() < self._failed_at + FAILING_SECONDS else ""

    def lock_wait(self) -> str:
        """Return the recent failure if it is a lock that another program holds for less than a minute so far, or nothing.

        It passes by itself, so nobody needs to act on it.
        """
        is_momentary = monotonic() < self._locked_since + LOCKED_SECONDS_MAX
        return self.recent_failure() if self._locked_since and is_momentary else ""

    def _log_failure(self, failure: str, *, is_locked: bool = False) -> None:
        if failure and failure != self._failure:
            _log.error("callbacks are answered with 503: %s", failure)
        elif self._failure and not failure:
            _log.info("callbacks are taken again")
        self._failure, self._failed_at = failure, monotonic()
        self._locked_since = (self._locked_since or self._failed_at) if is_locked else 0.0

    def _resolve_futures(self, batch: list[Waiting], outcomes: Sequence[IntakeOutcome | Exception]) -> None:
        self._waiting -= len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue  # The sender hung up; the delivery is recorded all the same.
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
