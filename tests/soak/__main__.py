"""Try to break the ledger for some minutes: ``python -m tests.soak --minutes 60 --seed 1``.

Rounds follow one another, on both stores in turn. A round that finds something says its seed, its number and what was done to the
store, and keeps its folder; ``--store KIND --round N`` with that seed runs it again. The exit code is 1 where anything was found.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from tests.soak.interposer import compile_interposer
from tests.soak.power_rounds import run_power_round
from tests.soak.rounds import Round, new_round
from tests.soak.service_rounds import run_service_round
from tests.soak.stores import POSTGRES, SQLITE
from tests.soak.writer_rounds import run_writer_round
from tests.support.postgres_server import Postgres

# What comes in turn; a database writes its own log, whose power cuts are its makers' concern.
KINDS: dict[str, tuple[Callable[[Round], None], ...]] = {
    SQLITE: (run_writer_round, run_power_round, run_writer_round, run_service_round),
    POSTGRES: (run_writer_round, run_service_round, run_writer_round, run_writer_round),
}
TOLD_MAX = 400
FOUND_MAX = 10
ROOM_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - stores of tests, in a folder of their own


class Soak:
    """A run: its seed, where its rounds live, and what they have come to."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.library = compile_interposer(folder)
        self.faults: dict[str, Counter[str]] = {SQLITE: Counter(), POSTGRES: Counter()}
        self.acts: dict[str, Counter[str]] = {SQLITE: Counter(), POSTGRES: Counter()}
        self.rounds: Counter[str] = Counter()
        self.found: list[str] = []

    def run(self, kind: str, number: int, server: Postgres | None) -> None:
        """Run a round, and report it if it finds something."""
        kinds = KINDS[kind]
        run = kinds[number % len(kinds)]
        begun = time.monotonic()
        this: Round | None = None
        try:
            place = self.folder / f"{kind}-{number}"
            with new_round(self.seed, number, kind, place, self.library, server=server) as this:
                run(this)
                self._add(kind, this)
        except Exception:  # noqa: BLE001 - whatever goes wrong is a finding
            self._report(kind, number, this, traceback.format_exc())
        self.rounds[kind] += 1
        faults = sum(self.faults[kind].values())
        print(
            f"{kind} round {number}, {run.__name__}: {time.monotonic() - begun:.0f} s, {faults} faults so far",
            flush=True,
        )

    def _add(self, kind: str, this: Round) -> None:
        self.faults[kind] += this.all_counts()
        self.acts[kind] += this.acts

    def _report(self, kind: str, number: int, this: Round | None, error: str) -> None:
        where = f"SEED={self.seed} STORE={kind} ROUND={number}"
        self.found.append(where)
        told = "\n".join(this.told[-TOLD_MAX:]) if this else ""
        print(
            f"FOUND, replay with: make soak {where}\n{told}\n{error}\nkept: {self.folder / f'{kind}-{number}'}",
            flush=True,
        )

    def tell(self) -> None:
        """Print what there was of each kind."""
        for kind, faults in self.faults.items():
            print(f"\n{kind}: {self.rounds[kind]} rounds, {sum(faults.values())} faults")
            for what, times in sorted(faults.items(), key=lambda item: (-item[1], item[0])):
                print(f"  {times:7} {what}")
            print("  acts of operators:", *(f"{times} {what}" for what, times in sorted(self.acts[kind].items())))
        print(f"\nfound: {len(self.found)}", *self.found, sep="\n", flush=True)


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description="Try to break the ledger.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="default: another one each time")
    parser.add_argument("--store", choices=(SQLITE, POSTGRES), help="default: both in turn")
    parser.add_argument("--round", type=int, help="run this round only")
    return parser.parse_args()


def numbered(given: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Yield the rounds to run: a store and a number, until the time is over."""
    stores = [given.store] if given.store else [SQLITE, POSTGRES]
    if given.round is not None:
        yield from ((kind, given.round) for kind in stores)
        return
    until = time.monotonic() + given.minutes * 60
    for number in count():
        for kind in stores:
            if time.monotonic() > until:
                return
            yield kind, number


def main() -> None:
    """Run rounds until the time is over, or one that is named."""
    given = arguments()
    print(f"SEED={given.seed}", flush=True)
    place = ROOM_IN_MEMORY if os.access(ROOM_IN_MEMORY, os.W_OK) else None
    with ExitStack() as stack:
        soak = Soak(given.seed, Path(tempfile.mkdtemp(prefix="soak-", dir=place)))
        server = None
        if given.store != SQLITE:
            server = Postgres()
            stack.callback(server.end)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # What was started is ended then, too.
        for kind, number in numbered(given):
            if len(soak.found) == FOUND_MAX:
                break
            soak.run(kind, number, server if kind == POSTGRES else None)
        soak.tell()
    sys.exit(1 if soak.found else 0)


if __name__ == "__main__":
    main()
