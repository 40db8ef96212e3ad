"""Read models as they were at earlier positions of the log, for pages and the JSON API.

Each is built once, in a process of its own, and kept while requests ask for it: pages, sorts and sums of one date read the
same file. A request waits some seconds for a build, and is then told how far it is. At most two are built at once, and four
kept, whatever the log's size.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic

import msgspec

from api.application.read_model_pool import ReadSession
from api.processes.as_of_process import PastProgress
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from projections.building.as_of import open_as_of_file
from projections.stores.generations import ReadStore

MODULE = "api.processes.as_of_process"
WAIT_SECONDS = 4.0
IDLE_SECONDS_MAX = 900.0
BUILDS_MAX, KEPT_MAX = 2, 4
END_SECONDS_MAX = 5.0


class PastNotReady(StoreUnavailable):
    """The read models of an earlier position are being built: ask again in a moment."""


class _Past:
    """The read models of one position: being built, ready or failed, and how many read them."""

    def __init__(self, ledger: Ledger, position: int, path: Path) -> None:
        self.path = path
        self.progress = PastProgress(0, position)
        self.ended = Event()
        self.store: ReadStore | None = None
        self.readers, self.used_at = 0, monotonic()
        self._ledger = ledger
        # -P: files in the current directory must not be imported instead of our modules.
        self._process = subprocess.Popen(  # noqa: S603 - it is us
            [sys.executable, "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin
        with suppress(BrokenPipeError):  # It has already ended; that shows below.
            self._process.stdin.write(msgspec.json.encode([ledger.url, str(position), str(path)]) + b"\n")
            self._process.stdin.flush()
        self._thread = Thread(target=self._follow, name=f"as of {position}", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.progress = msgspec.json.decode(line, type=PastProgress)
        if self._process.wait() == 0:
            self.store = open_as_of_file(self._ledger, self.path)
        elif not self.progress.failure:
            self.progress = PastProgress(0, self.progress.total, "the process that builds them ended")
        self.ended.set()

    @property
    def is_idle(self) -> bool:
        return self.ended.is_set() and not self.readers

    def close(self) -> None:
        """End the build if it runs, and delete the file."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join(END_SECONDS_MAX)
        self._process.stdout.close()
        if self.store:
            self.store.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


class PastReadModels:
    """The read models of earlier positions that a service has, in files that end with it."""

    def __init__(self, ledger: Ledger) -> None:
        """Look back in the log of ``ledger``; nothing is built before it is asked for."""
        self._ledger = ledger
        self._lock = Lock()
        self._pasts: dict[int, _Past] = {}
        self._folder: Path | None = None

    @contextmanager
    def session(self, position: int) -> Iterator[ReadSession]:
        """Begin a read transaction on the read models as of a position, which the log must have.

        Raises PastNotReady while they are being built, and StoreUnavailable if that failed.
        """
        past = self._taken(position)
        try:
            assert past.store
            with past.store.snapshot() as connection:
                yield ReadSession(connection, position, self._ledger, past.store)
        finally:
            with self._lock:
                past.readers -= 1
                past.used_at = monotonic()

    def _taken(self, position: int) -> _Past:
        with self._lock:
            past = self._pasts.get(position) or self._start(position)
            past.readers += 1
        is_ready = False
        try:
            past.ended.wait(WAIT_SECONDS)
            is_ready = past.store is not None
            if not past.ended.is_set():
                done, total = past.progress.done, past.progress.total
                msg = f"the lists as of position {position} are being made, {done} of {total} events so far: ask again in a moment"
                raise PastNotReady(msg)
            if not is_ready:
                msg = f"the lists as of position {position} cannot be made: {past.progress.failure}"
                raise StoreUnavailable(msg)
        finally:
            if not is_ready:
                self._give_back(position, past)
        return past

    def _give_back(self, position: int, past: _Past) -> None:
        with self._lock:
            past.readers -= 1
            if past.ended.is_set() and not past.store and self._pasts.get(position) is past:
                del self._pasts[position]  # The next request tries again.
                past.close()

    def _start(self, position: int) -> _Past:
        if sum(not past.ended.is_set() for past in self._pasts.values()) >= BUILDS_MAX:
            msg = f"lists of {BUILDS_MAX} other dates are being made: ask again in a moment"
            raise PastNotReady(msg)
        if len(self._pasts) >= KEPT_MAX:
            idle = sorted((past.used_at, kept) for kept, past in self._pasts.items() if past.is_idle)
            if not idle:
                msg = f"lists of {KEPT_MAX} other dates are being read: ask again in a moment"
                raise PastNotReady(msg)
            self._pasts.pop(idle[0][1]).close()
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="tringledger-as-of-"))
        past = _Past(self._ledger, position, self._folder / f"{position}.db")
        self._pasts[position] = past
        return past

    def let_go(self) -> None:
        """Delete what nobody has asked for in a quarter of an hour."""
        with self._lock:
            old = [
                position
                for position, past in self._pasts.items()
                if past.is_idle and monotonic() > past.used_at + IDLE_SECONDS_MAX
            ]
            for position in old:
                self._pasts.pop(position).close()

    def close(self) -> None:
        """End what is being built, and delete all files."""
        with self._lock:
            for past in self._pasts.values():
                past.close()
            self._pasts.clear()
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
