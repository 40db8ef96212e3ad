"""A round of the soak: its seed, its folder, what stands between processes and the kernel, and what it has counted."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

from tests.soak.interposer import Interposer
from tests.soak.oracle import Promises
from tests.soak.stores import SoakStore, children_of, new_store
from tests.soak.traffic import OF_FILES, OF_SOCKETS, notices
from tests.support.postgres_server import Postgres

AWAKE_SECONDS = 0.15


class Round:
    """One round: all of it follows from the seed and the number, but for what the machine does at the same time."""

    def __init__(self, seed: int, number: int, store: SoakStore, interposer: Interposer) -> None:
        self.number = number
        self.random = Random(f"{seed}/{number}/{store.kind}")
        self.store = store
        self.interposer = interposer
        self.promises = Promises()
        self.counts: Counter[str] = Counter()
        self.acts: Counter[str] = Counter()
        self.told: list[str] = []
        self.has_small_disk = False
        self.spool: Path | None = None
        self._notices = notices(Random(f"{seed}/{number}/notices"))
        self.calls = OF_SOCKETS if store.way else OF_FILES

    def tell(self, what: str) -> None:
        """Note what was done, for whoever looks at a round that failed."""
        self.told.append(what)

    def count(self, what: str, times: int = 1) -> None:
        """Count faults of a kind that the interposer does not count itself."""
        self.counts[what] += times

    def fresh(self, number: int) -> list[str]:
        """Return so many new notices after those without an answer."""
        new = [next(self._notices) for _ in range(number)]
        waiting = self.promises.open
        self.promises.send(new)
        return waiting + new

    def all_counts(self) -> Counter[str]:
        """Count all faults of this round."""
        return self.counts + self.interposer.fired()


@contextmanager
def new_round(
    seed: int, number: int, kind: str, folder: Path, library: Path, *, server: Postgres | None = None
) -> Iterator[Round]:
    """Prepare a round in a folder of its own, which is gone at the end unless the round fails."""
    folder.mkdir(parents=True)
    with new_store(kind, folder, server) as store:
        interposer = Interposer(library, folder, store.folder, Random(f"{seed}/{number}/kernel").getrandbits(64))
        try:
            yield Round(seed, number, store, interposer)
        finally:
            interposer.close()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept_awake(*processes: int) -> Iterator[None]:
    """Let what a rule has stopped go on after a moment, for these processes and their children.

    A child whose parent has ended since is nobody's child any more, and may be the one that is stopped.
    """
    ending = Event()
    known = set(processes)

    def wake() -> None:
        is_last = False
        while not is_last:
            is_last = ending.wait(AWAKE_SECONDS)
            known.update(child for process in processes for child in children_of(process))
            for each in known:
                with suppress(OSError):
                    os.kill(each, signal.SIGCONT)

    waking = Thread(target=wake)
    waking.start()
    try:
        yield
    finally:
        ending.set()
        waking.join()
