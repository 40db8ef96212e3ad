"""Deliveries on their way from the event loop to the thread that records them: put in one by one, taken out in batches.

The thread is woken once for all deliveries that come together, and takes them when it holds the store's lock: what comes
while it waits for that is in the same batch. The larger batches are, the less each delivery costs.
"""

import asyncio
from collections import deque
from threading import Event
from typing import Generic, TypeVar

T = TypeVar("T")


class DeliveryQueue(Generic[T]):
    """A queue from the event loop's thread to one other thread."""

    def __init__(self, batch_max: int) -> None:
        """Begin empty; a batch has at most ``batch_max`` items."""
        self._batch_max = batch_max
        self._items: deque[T] = deque()
        self._wake = Event()
        self._is_woken = False
        self._is_closed = False

    def put(self, item: T, loop: asyncio.AbstractEventLoop) -> None:
        """Put in an item, in the loop's thread; the other thread wakes up after all that the loop already has to do."""
        self._items.append(item)
        if not self._is_woken:
            self._is_woken = True
            loop.call_soon(self._wake.set)

    def close(self) -> None:
        """End waiting once the queue is empty."""
        self._is_closed = True
        self._wake.set()

    def wait(self) -> bool:
        """Wait, in the other thread, until there is an item; return False if the queue is empty and closed."""
        while not self._items:
            if self._is_closed:
                return False
            self._wake.wait()
            self._wake.clear()
            # Woken for nothing, too: what was put in while a batch was taken out is in that batch, and was told as well.
            self._is_woken = False
        return True

    def take(self) -> list[T]:
        """Take out the next batch, in order."""
        # Before the items are taken: whoever puts one in from now on wakes the thread, though that may be for nothing.
        self._is_woken = False
        return [self._items.popleft() for _ in range(min(len(self._items), self._batch_max))]
