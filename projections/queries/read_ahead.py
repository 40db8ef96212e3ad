"""Parts that are made in a thread of their own while earlier ones are worked on: where both are work in C, both cores work."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Generic, TypeVar

Part = TypeVar("Part")


class ReadAhead(Generic[Part]):
    """An iterator over parts in their order; an error in making one is raised where its turn comes.

    Close it before what the parts are made of is closed: no part is being made after that.
    """

    def __init__(self, parts: Iterator[Part], parts_ahead: int = 1) -> None:
        """Make the parts of an iterator, of which so many are ready or being made; from now on only this may take parts from it."""
        self._parts, self._parts_ahead = parts, parts_ahead
        self._pool = ThreadPoolExecutor(1, "read-ahead")

    def __iter__(self) -> Iterator[Part]:
        """Yield the parts."""
        waiting = deque(self._next() for _ in range(self._parts_ahead))
        while found := waiting.popleft().result():
            waiting.append(self._next())
            yield found[0]

    def _next(self) -> "Future[list[Part]]":
        return self._pool.submit(self._make_next)

    def _make_next(self) -> list[Part]:
        """Return the next part in a list, which is empty at the end."""
        return list(islice(self._parts, 1))

    def close(self) -> None:
        """Wait for the part that is being made, and make no more."""
        self._pool.shutdown(cancel_futures=True)
