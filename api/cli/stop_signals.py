"""Ends a command that runs until it is stopped: by a signal, or because its output is no longer read."""

import errno
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self, TextIO

import click

from api.cli.exit_codes import DONE

_SLICE_SECONDS = 0.1


class StopSignal:
    """Notes the first Ctrl-C (or SIGTERM), so that a line is written to its end; a second one ends the command at once."""

    def __init__(self) -> None:
        """Start without a signal."""
        self.signal = 0
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        """Install the handlers."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the handlers from before."""
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
    """Write data to stdout, unbuffered; raises BrokenPipeError if the reader is gone.

    Without Python's buffer: data that a second Ctrl-C left there would block the exit until it is read.
    """
    stdout = _descriptor()
    if stdout is None:
        sys.stdout.buffer.write(data)
        return
    left = memoryview(data)
    while left:  # A signal can interrupt a write that waits for its reader.
        left = left[os.write(stdout, left) :]


def sleep_while_read(seconds: float) -> None:
    """Wait; raises BrokenPipeError as soon as the reader of stdout is gone, not only at the next write."""
    stdout = _descriptor()
    if stdout is None:
        time.sleep(seconds)
        return
    polling = select.poll()
    polling.register(stdout, 0)  # The end of the reader is always reported.
    if polling.poll(seconds * 1000):
        raise BrokenPipeError(errno.EPIPE, "the output is no longer read")


@contextmanager
def end_quietly_when_unread() -> Iterator[None]:
    """End a command with exit code 0 and without a message once its stdout is no longer read, as ``head -n 1`` makes it.

    Any other broken pipe, of a process or of stderr, stays the error that it is.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # Here, where it can still be told apart: Python's exit would complain.
    except BrokenPipeError:
        stdout, stderr = _descriptor(), _descriptor(sys.stderr)
        if stdout is None or not _is_unread(stdout) or (stderr is not None and _is_unread(stderr)):
            raise
        # What is left in Python's buffer goes nowhere, instead of failing once more at the exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout)
        os.close(nowhere)
        raise click.exceptions.Exit(DONE) from None


def _is_unread(descriptor: int) -> bool:
    """Whether a descriptor is a pipe without a reader."""
    polling = select.poll()
    polling.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in polling.poll(0))


def _descriptor(stream: TextIO | None = None) -> int | None:
    """Return the file descriptor of a stream, stdout by default, or None if it is not a file."""
    try:
        return (stream or sys.stdout).fileno()
    except OSError:
        return None
