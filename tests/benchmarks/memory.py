"""Peak memory of a rebuild of a large log, against one of a tenth of it: reading by stream, it should hardly grow.

Each rebuild is a process of its own. Linux tells the peak since the program began in /proc; what getrusage tells there
begins with the memory of the process that started it, and so is only asked elsewhere, and for the workers of a rebuild.
"""

import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from projections.catch_up import catch_up
from projections.rebuild import rebuild
from projections.store import open_current
from tests.benchmarks import ledgers
from tests.benchmarks.measure import Row, Sizes, in_turns

RUNS_MAX = 3
MEBIBYTE_IN_KIBIBYTES = 1024


def measure(sizes: Sizes) -> Row:
    """Rebuild two logs, one ten times the other's size, in turns."""
    large, small = sizes.events, max(sizes.events // 10, 1)
    large_path, small_path = (_ready(sizes.directory / f"memory-{count}.db", count) for count in (large, small))
    pairs = in_turns(min(sizes.runs, RUNS_MAX), lambda _: _peak(small_path), lambda _: _peak(large_path))
    what = f"peak memory of a rebuild, {large:,} events"
    return Row(what, f"with {small:,}", " MiB", 1.5, 1.1, pairs, at_most=True)


def _ready(path: Path, events: int) -> Path:
    with ledgers.opened(ledgers.filled(path, events)) as ledger, closing(open_current(ledger)) as store:
        catch_up(ledger, store)
    return path


def _peak(path: Path) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(path)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) / MEBIBYTE_IN_KIBIBYTES


def _own_peak() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:"))


def main() -> None:
    """Rebuild one ledger, and print the peak in KiB: this process's, and that of its largest worker if it has any."""
    with ledgers.opened(Path(sys.argv[1])) as ledger:
        rebuild(ledger)
    print(_own_peak() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


if __name__ == "__main__":
    main()
