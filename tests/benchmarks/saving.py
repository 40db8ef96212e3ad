"""The backup of a ledger, against what it cannot do without: a copy of its files on the disk, read once more and hashed."""

import os
import shutil
import time
from contextlib import nullcontext
from hashlib import file_digest
from pathlib import Path

from api.application.backup.creation import make_backup
from api.web.auth.store_copy import save_access
from domain.copying.copy import Progress
from domain.ledger import Ledger
from tests.benchmarks import proving
from tests.benchmarks.measure import Row, Sizes, in_turns


def measure(sizes: Sizes) -> Row:
    """Back up a ledger with its proofs, and copy and hash its files, in turns."""
    backups, copies = sizes.directory / "backups", sizes.directory / "copies"
    copies.mkdir()
    with proving.proven(sizes) as ledger:
        ledger.store.checkpoint()
        pairs = in_turns(sizes.runs, lambda _: _copy(Path(ledger.path), copies), lambda _: _back_up(ledger, backups))
    for folder in (backups, copies):
        shutil.rmtree(folder)
    note = "Asked for: a backup of a million events under 15 s."
    what = f"backup of {sizes.events:,} events"
    return Row(what, "copying, syncing and hashing the files", " s", 10, 5, pairs, at_most=True, notes=[note])


def _back_up(ledger: Ledger, folder: Path) -> float:
    begun = time.perf_counter()
    make_backup(ledger, folder, save_access, 1, _silent)
    return time.perf_counter() - begun


_silent: Progress = lambda _what, _total: nullcontext(lambda _done: None)  # noqa: E731


def _copy(path: Path, to: Path) -> float:
    begun = time.perf_counter()
    for name in (path.name, f"{path.name}.proofs.db"):
        shutil.copyfile(path.with_name(name), to / name)
        with (to / name).open("rb") as file:
            os.fsync(file.fileno())
            file_digest(file, "sha256")
    return time.perf_counter() - begun
