"""Peak memory of work on a large log, against a log of a tenth of it: it should hardly grow.

Each run is a process of its own. Linux tells the peak since a program began in /proc; what getrusage tells there begins
with the memory of the process that started it, and so is only asked elsewhere. The workers count with it.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_native_id

from api.application.backup.creation import make_backup
from api.application.proofs.proof_files import opened_proofs
from api.web.auth.store_copy import save_access
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.partitions import SEQUENTIAL
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.proofs.delivery_key_check import check_delivery_keys
from projections.proofs.log_check import check_log
from projections.proofs.span_workers import SpanWorkers
from projections.stores.generations import open_current
from tests.benchmarks import ledgers, proving
from tests.benchmarks.measure import Row, Sizes, in_turns

RUNS_MAX = 3
WORKERS = 2
MEBIBYTE_IN_KIBIBYTES = 1024


def measure(sizes: Sizes) -> Row:
    """Rebuild two logs, one ten times the other's size, in turns."""
    return _measure(sizes, "rebuild, one process", _billed, "rebuild", 1)


def measure_spread(sizes: Sizes) -> Row:
    """The same with two processes more, that fold."""
    return _measure(sizes, f"rebuild, all of 1 + {WORKERS} processes", _billed, "rebuild", WORKERS)


def measure_check(sizes: Sizes) -> Row:
    """Check two logs in full, with two processes more."""
    return _measure(sizes, f"proof verify, all of 1 + {WORKERS} processes", _proven, "verify", WORKERS)


def measure_backup(sizes: Sizes) -> Row:
    """Back up two ledgers."""
    return _measure(sizes, "backup", _proven, "backup", 1)


def _measure(sizes: Sizes, name: str, make: Callable[[Sizes], Path], work: str, jobs: int) -> Row:
    small_sizes = sizes._replace(events=max(sizes.events // 10, 1))
    large, small = make(sizes), make(small_sizes)
    runs = min(sizes.runs, RUNS_MAX)
    pairs = in_turns(runs, lambda _: _peak(small, work, jobs), lambda _: _peak(large, work, jobs))
    what = f"peak memory of a {name}, {sizes.events:,} events"
    must_reach, aim = (1.5, 1.1) if work != "verify" else (1.2, 1.05)
    return Row(what, f"with {small_sizes.events:,}", " MiB", must_reach, aim, pairs, at_most=True)


def _billed(sizes: Sizes) -> Path:
    path = ledgers.filled(sizes.directory / f"memory-{sizes.events}.db", sizes.events)
    with ledgers.opened(path) as ledger, closing(open_current(ledger)) as store:
        catch_up(ledger, store)
    return path


def _proven(sizes: Sizes) -> Path:
    with proving.proven(sizes) as ledger:
        return Path(ledger.path)


def _peak(path: Path, work: str, jobs: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(path), work, str(jobs)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) / MEBIBYTE_IN_KIBIBYTES


def _own_peak(process: str = "self") -> int:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next((int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")), 0)


def _workers() -> list[str]:
    started = Path(f"/proc/self/task/{get_native_id()}/children")
    return started.read_text().split() if started.exists() else []


def _rebuild(ledger: Ledger, jobs: int, look: Callable[..., None]) -> None:
    rebuild(ledger, look, SEQUENTIAL if jobs == 1 else ProcessFolding(jobs))


def _verify(ledger: Ledger, jobs: int, look: Callable[..., None]) -> None:
    ledger.store.keep_few_pages()
    with opened_proofs(ledger) as store, store.reading() as rows:
        check_delivery_keys(
            ledger.store, check_log(ledger.store, rows, tell=look, check_spans=SpanWorkers(ledger, (), jobs))
        )


def _back_up(ledger: Ledger, _jobs: int, look: Callable[..., None]) -> None:
    with TemporaryDirectory(dir=Path(ledger.path).parent) as folder:
        make_backup(ledger, Path(folder), save_access, None, lambda _what, _total: nullcontext(look))


WORKS: dict[str, Callable[[Ledger, int, Callable[..., None]], None]] = {
    "rebuild": _rebuild,
    "verify": _verify,
    "backup": _back_up,
}


def main() -> None:
    """Work on one ledger, and print the sum of all processes' peaks in KiB."""
    path, work, jobs = sys.argv[1:]
    peaks: dict[str, int] = {}

    def look(*_progress: int) -> None:
        peaks.update({worker: _own_peak(worker) for worker in _workers()})

    with ledgers.opened(Path(path)) as ledger:
        WORKS[work](ledger, int(jobs), look)
    print(_own_peak() + sum(peaks.values()))


if __name__ == "__main__":
    main()
