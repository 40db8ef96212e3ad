"""Something that runs in a thread of its own for as long as a block does."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event


@contextmanager
def alongside(work: Callable[[Event], None]) -> Iterator[None]:
    """Run ``work`` until the block ends, which sets its event; an error in it is raised at the end of the block."""
    ended = Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work, ended)
        try:
            yield
        finally:
            ended.set()
        done.result()
