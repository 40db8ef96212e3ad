"""The queue from the event loop to the thread that records: whatever is put in, and whenever, wakes the thread."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from api.application.delivery_queue import DeliveryQueue
from tests.support.asgi_service import SECONDS_MAX, eventually


class Loop:
    """An event loop that does at once what it is told."""

    @staticmethod
    def call_soon(do: Callable[[], object]) -> None:
        do()


LOOP: Any = Loop


class Interrupted(deque[str]):
    """Items of which another one is put in while they are counted."""

    put: Callable[[], None] | None = None

    def __len__(self) -> int:
        put, self.put = self.put, None
        if put:
            put()
        return super().__len__()


def test_what_is_put_in_while_a_batch_is_taken_out_does_not_keep_the_next_from_waking_the_thread() -> None:
    queue: DeliveryQueue[str] = DeliveryQueue(64)
    queue._items = items = Interrupted()
    queue.put("first", LOOP)
    assert queue.wait()
    items.put = lambda: queue.put("meanwhile", LOOP)
    assert queue.take() == ["first", "meanwhile"]
    with ThreadPoolExecutor(1) as pool, closing(queue):
        waiting = pool.submit(queue.wait)
        eventually(lambda: not queue._wake.is_set())  # It was woken for what it has already, and waits again.
        queue.put("next", LOOP)
        assert waiting.result(SECONDS_MAX)
    assert queue.take() == ["next"]
