"""How a command that runs on and on ends in order: told by a signal, or because nobody reads its output any more."""

import errno
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Self

_SLICE_SECONDS = 0.1


class StopSignal:
    """Takes the first Ctrl-C (or SIGTERM) as a wish, so that what is being written is written; a second one ends at once."""

    def __init__(self) -> None:
        """Know of no wish yet."""
        self.signal = 0
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        """Listen."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave signals to whom they were left before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def is_set(self) -> bool:
        """Whether a signal came."""
        return bool(self.signal)

    def wait(self, timeout: float) -> bool:
        """Wait for a signal, at most ``timeout`` seconds; return whether one came."""
        until = time.monotonic() + timeout
        while not self.signal and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))
        return self.is_set()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, self._before[number])


def write_stdout(data: bytes) -> None:
    """Put data on stdout, all of it, at once; raises BrokenPipeError where nobody reads it.

    Past Python's buffer: what a second Ctrl-C left in there would hold up the end until somebody reads it.
    """
    stdout = _descriptor()
    if stdout is None:
        sys.stdout.buffer.write(data)
        return
    left = memoryview(data)
    while left:  # A signal may end a write that has to wait for its reader.
        left = left[os.write(stdout, left) :]


def sleep_while_read(seconds: float) -> None:
    """Wait; raises BrokenPipeError as soon as nobody reads stdout any more, rather than at the next write."""
    stdout = _descriptor()
    if stdout is None:
        time.sleep(seconds)
        return
    polling = select.poll()
    polling.register(stdout, 0)  # A reader that has gone is told of without being asked for.
    if polling.poll(seconds * 1000):
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output any more")


def _descriptor() -> int | None:
    """Return stdout's file descriptor, or None where it is no file."""
    try:
        return sys.stdout.fileno()
    except OSError:
        return None
