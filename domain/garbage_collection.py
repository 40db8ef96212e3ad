"""How often Python looks for objects in reference cycles, while work makes very many objects that are in none.

Catching up, rebuilds, imports and taking callbacks are such work. Its threshold counts for the whole process: so blocks know of
one another.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# Events and rows are in no reference cycles, and looking for some costs a twentieth of the time. A database's results may be in
# cycles.
OBJECTS_BETWEEN_COLLECTIONS = 100_000
SERVICE_THRESHOLDS = 20_000, 10, 10

_lock = Lock()
_usual: list[tuple[int, int, int]] = []


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for reference cycles rarely in a block; blocks may lie in one another, and run in several threads at once."""
    with _lock:
        _usual.append(gc.get_threshold())
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *_usual[0][1:])
    try:
        yield
    finally:
        with _lock:
            before = _usual.pop()
            if not _usual:
                gc.set_threshold(*before)


def set_aside_present_objects() -> None:
    """Look for reference cycles among newer objects alone from now on, and more rarely: for a service that has started.

    Its modules and routes stay until it ends. Looking through them again and again takes a twentieth of a callback's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SERVICE_THRESHOLDS)
