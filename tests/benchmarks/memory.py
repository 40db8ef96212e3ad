"""Peak memory of a rebuild of a large log, against one of a tenth of it: reading by stream, it should hardly grow.

Each rebuild is a process of its own. Linux tells the peak since a program began in /proc; what getrusage tells there begins
with the memory of the process that started it, and so is only asked elsewhere. The workers of a rebuild count with it.
"""

import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import get_native_id

from projections.building.catch_up import catch_up
from projections.building.partitions import SEQUENTIAL
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.stores.generations import open_current
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Row, Sizes, in_turns

RUNS_MAX = 3
WORKERS = 2
MEBIBYTE_IN_KIBIBYTES = 1024


def measure(sizes: Sizes) -> Row:
    """Rebuild two logs, one ten times the other's size, in turns."""
    return _measure(sizes, 1)


def measure_spread(sizes: Sizes) -> Row:
    """The same with two processes more, that fold."""
    return _measure(sizes, WORKERS)


def _measure(sizes: Sizes, jobs: int) -> Row:
    large, small = sizes.events, max(sizes.events // 10, 1)
    large_path, small_path = (_ready(sizes.directory / f"memory-{count}.db", count) for count in (large, small))
    runs = min(sizes.runs, RUNS_MAX)
    pairs = in_turns(runs, lambda _: _peak(small_path, jobs), lambda _: _peak(large_path, jobs))
    who = "one process" if jobs == 1 else f"all of 1 + {jobs} processes"
    what = f"peak memory of a rebuild, {who}, {large:,} events"
    return Row(what, f"with {small:,}", " MiB", 1.5, 1.1, pairs, at_most=True)


def _ready(path: Path, events: int) -> Path:
    with ledgers.opened(ledgers.filled(path, events)) as ledger, closing(open_current(ledger)) as store:
        catch_up(ledger, store)
    return path


def _peak(path: Path, jobs: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(path), str(jobs)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) / MEBIBYTE_IN_KIBIBYTES


def _own_peak(process: str = "self") -> int:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next((int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")), 0)


def _workers() -> list[str]:
    started = Path(f"/proc/self/task/{get_native_id()}/children")
    return started.read_text().split() if started.exists() else []


def main() -> None:
    """Rebuild one ledger, and print the sum of all processes' peaks in KiB."""
    jobs = int(sys.argv[2])
    peaks: dict[str, int] = {}
    with ledgers.opened(Path(sys.argv[1])) as ledger:
        rebuild(
            ledger,
            lambda _done, _total: peaks.update({worker: _own_peak(worker) for worker in _workers()}),
            SEQUENTIAL if jobs == 1 else ProcessFolding(jobs),
        )
    print(_own_peak() + sum(peaks.values()))


if __name__ == "__main__":
    main()
