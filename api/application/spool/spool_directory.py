"""The directory of spool files: one for each process that takes callbacks, named by its ledger, its host and a number.

A process takes the first number whose file no other process has. So a process that is started in place of a dead one
usually goes on with its file; any other file of this host is drained by whichever process sees it first.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from api.application.spool.spool_file import SUFFIX, ForeignSpool, SpoolFile, SpoolLocked, SpoolUnusable
from api.application.spool.spool_scan import SpoolContents, scan_spool
from domain import times
from domain.errors import WrongUsage

_NOT_FOR_NAMES = re.compile(r"[^A-Za-z0-9._-]")


class SpoolTotals(NamedTuple):
    """What waits in the spool files of a ledger: callbacks, bytes, and when the oldest came (microseconds, UTC).

    ``failure`` says why that cannot be known, or why callbacks cannot be spooled.
    """

    callbacks: int = 0
    bytes: int = 0
    oldest_at: int | None = None
    failure: str = ""

    def plus(self, found: SpoolContents) -> "SpoolTotals":
        """Return the totals with one more file."""
        moments = [at for at in (self.oldest_at, found.oldest_at) if at is not None]
        return SpoolTotals(self.callbacks + found.callbacks, self.bytes + found.bytes, min(moments, default=None))


def spool_document(totals: SpoolTotals) -> dict[str, Any]:
    """Return totals as JSON has them."""
    return {
        "callbacks": totals.callbacks,
        "bytes": totals.bytes,
        "oldest_at": None if totals.oldest_at is None else times.iso(totals.oldest_at),
        "failure": totals.failure or None,
    }


def spool_problem(totals: SpoolTotals, since: int) -> str:
    """Return, as a sentence, what is wrong with a spool: callbacks wait that came before a moment, or it cannot be read."""
    if totals.failure:
        return totals.failure
    if totals.oldest_at is None or totals.oldest_at > since:
        return ""
    return f"{totals.callbacks} callbacks wait in the spool, the oldest since {times.iso(totals.oldest_at)}"


class SpoolDirectory:
    """The spool files of one ledger in a directory."""

    def __init__(self, path: Path, ledger_id: str, host: str | None = None) -> None:
        """Use a directory; ``host`` is the name of this machine unless it is given."""
        self.path = path
        self.ledger_id = ledger_id
        host = socket.gethostname() if host is None else host
        self._stem = f"{ledger_id}-{_NOT_FOR_NAMES.sub('_', host)}"

    def check(self) -> None:
        """Raise WrongUsage where there is no such directory: to make one could hide a disk that is not mounted."""
        if not self.path.is_dir():
            msg = f"TRINGLEDGER_SPOOL={str(self.path)!r} cannot be used: expected a directory that exists"
            raise WrongUsage(msg)

    def open_own(self) -> SpoolFile:
        """Open the first file that no other process has; raises ForeignSpool, SpoolUnusable."""
        for number in count(1):
            with suppress(SpoolLocked):
                return SpoolFile(self.path / f"{self._stem}-{number}{SUFFIX}", self.ledger_id)
        raise AssertionError

    def open_left(self) -> Iterator[SpoolFile]:
        """Open, one after the other, the files of this host that no process has; each is closed after its turn.

        Raises SpoolUnusable. Records that were set aside are left alone.
        """
        ours = re.compile(re.escape(self._stem) + r"-[0-9]+\.spool")
        for path in sorted(self.path.glob(f"*{SUFFIX}")):
            if not ours.fullmatch(path.name):
                continue
            with suppress(SpoolLocked, ForeignSpool):
                file = SpoolFile(path, self.ledger_id)
                try:
                    yield file
                finally:
                    file.close()

    def contents(self) -> list[SpoolContents]:
        """Return what each spool file of the directory holds, those of other hosts and ledgers too; raises SpoolUnusable."""
        return [found for path in sorted(self.path.glob(f"*{SUFFIX}")) if (found := scan_spool(path))]

    def totals(self) -> SpoolTotals:
        """Return what waits in all files of this ledger, whoever has them."""
        totals = SpoolTotals()
        try:
            for found in self.contents():
                if found.ledger == self.ledger_id:
                    totals = totals.plus(found)
        except SpoolUnusable as error:
            return SpoolTotals(failure=str(error))
        return totals
