"""The files of large downloads, made by a process of the service's own while readers take them at their pace.

A file in making belongs to one download: who hangs up ends it, and if the process is lost, the files that it was making stay
unfinished, and the next download starts another process. It ends when it has made nothing for a while.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic
from typing import IO

from api.processes.download_messages import (
    DownloadFailed,
    DownloadJob,
    DownloadOrder,
    FileAnswer,
    FileBegun,
    FileEnded,
    OrderEnd,
    OrderStart,
    check_room,
)
from domain.ledger import Ledger
from domain.log.keepalive import CONNECTIONS_MAX
from domain.log.urls import absolute, is_postgres
from projections.worker_link import WorkerLink

MODULE = "api.processes.download_process"
AT_ONCE_MAX, WAITING_MAX = 8, 8
WAIT_SECONDS, BEGIN_SECONDS_MAX = 20.0, 30.0
LOOK_AGAIN_SECONDS = 1.0
IDLE_SECONDS_MAX = 30.0
LOST = "the process that makes files ended"


class FileInMaking:
    """A file that is being made; ``position`` is that of the log which it shows."""

    def __init__(self, worker: "DownloadWorker", link: WorkerLink, number: int) -> None:
        """Follow the file of a number, which the process behind ``link`` makes."""
        self.link = link
        self.position = 0
        self.answers: SimpleQueue[FileAnswer] = SimpleQueue()
        self._worker, self._number = worker, number
        self._size = 0

    def wait_for_begin(self) -> None:
        """Wait until its position is known; raises DownloadFailed."""
        try:
            answer = self.answers.get(timeout=BEGIN_SECONDS_MAX)
        except Empty:
            msg = f"the file was not begun within {BEGIN_SECONDS_MAX:g} s: ask again later"
            raise DownloadFailed(msg) from None
        if not isinstance(answer, FileBegun):
            raise DownloadFailed(getattr(answer, "failure", "") or LOST)
        self.position = answer.position

    def sizes(self) -> Iterator[int]:
        """Yield how many bytes the file has, each second or sooner, until it is whole; raises DownloadFailed if it never will be."""
        while True:
            try:
                answer = self.answers.get(timeout=LOOK_AGAIN_SECONDS)
            except Empty:
                yield self._size
                continue
            if isinstance(answer, FileEnded):
                self.close()
                if answer.failure:
                    raise DownloadFailed(answer.failure)
                return
            self._size = getattr(answer, "size", self._size)
            yield self._size

    def close(self) -> None:
        """Let others have its place; what is not made yet is not made any more. It may be called again."""
        self._worker.end(self._number)


class DownloadWorker:
    """Starts the process when it is needed, hands out places in it, and ends it."""

    def __init__(self, ledger: Ledger) -> None:
        """Make files of ``ledger``. On PostgreSQL each that is being made takes a connection, of which TRINGLEDGER_CONNECTIONS_MAX are lent."""
        self._job = DownloadJob(absolute(ledger.url), ledger.id)
        at_once = ledger.options.connections_max or CONNECTIONS_MAX if is_postgres(ledger.url) else AT_ONCE_MAX
        self.at_once_max = min(at_once, AT_ONCE_MAX)
        self._free, self._waiting = BoundedSemaphore(self.at_once_max), BoundedSemaphore(WAITING_MAX)
        self._lock = Lock()
        self._numbers = count(1)
        self._link: WorkerLink | None = None
        self._thread: Thread | None = None
        self._files: dict[int, FileInMaking] = {}
        self._used_at = monotonic()
        self._is_closed = False

    @property
    def process_id(self) -> int | None:
        """The id of the process, None if there is none at present."""
        with self._lock:
            return self._link.process_id if self._link else None

    def begin(self, order: DownloadOrder, file: IO[bytes]) -> FileInMaking:
        """Begin to write a file, and return it once its position is known; whoever gets it closes it.

        Waits some seconds for a place. Raises DownloadFailed if there is none, or too little room, or if it cannot be begun.
        """
        check_room(file.fileno())
        self._take_place()
        with ExitStack() as failing:
            failing.callback(self._free.release)
            with self._lock:
                begun = self._start(order, file)
                failing.pop_all()
            failing.callback(begun.close)
            begun.wait_for_begin()
            failing.pop_all()
        return begun

    def _take_place(self) -> None:
        if self._free.acquire(blocking=False):
            return
        seconds = 0.0
        if self._waiting.acquire(blocking=False):
            try:
                if self._free.acquire(timeout=WAIT_SECONDS):
                    return
                seconds = WAIT_SECONDS
            finally:
                self._waiting.release()
        msg = f"{self.at_once_max} files are being made, and others wait: expected a place within {seconds:g} s; ask again later"
        raise DownloadFailed(msg)

    def _start(self, order: DownloadOrder, file: IO[bytes]) -> FileInMaking:
        if self._is_closed:
            msg = "the service is stopping: expected no more downloads"
            raise DownloadFailed(msg)
        if self._link is None:
            self._link = WorkerLink(MODULE, self._job)
            self._thread = Thread(target=self._follow, args=(self._link,), name="downloads", daemon=True)
            self._thread.start()
        number = next(self._numbers)
        made = self._files[number] = FileInMaking(self, self._link, number)
        made.link.send(OrderStart(number, order))
        made.link.send_descriptor(file.fileno())
        return made

    def _follow(self, link: WorkerLink) -> None:
        """Pass on the answers of a process until it ends; then its files fail."""
        while (answer := link.receive()) is not None:
            with self._lock:
                made = self._files.get(answer.number)  # type: ignore[attr-defined]
            if made:
                made.answers.put(answer)  # type: ignore[arg-type]
        with self._lock:
            if self._link is link:
                self._link = None
            lost = [(number, made) for number, made in self._files.items() if made.link is link]
            link.stop()
        for number, made in lost:
            made.answers.put(FileEnded(number, LOST))

    def end(self, number: int) -> None:
        """Let go of a file, which may have ended already."""
        with self._lock:
            made = self._files.pop(number, None)
            if made is None:
                return
            if made.link is self._link:
                made.link.send(OrderEnd(number))
            self._used_at = monotonic()
        self._free.release()

    def let_go(self) -> None:
        """End the process if it has made nothing for half a minute."""
        with self._lock:
            if self._link and not self._files and monotonic() > self._used_at + IDLE_SECONDS_MAX:
                self._link.kill()
                self._link = None

    def close(self) -> None:
        """End the process; what it was making stays unfinished."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
            if self._link:
                self._link.kill()
        if thread:
            thread.join()
