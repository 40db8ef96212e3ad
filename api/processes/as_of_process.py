"""The process that builds the read models as they were at a position of the log, in a file for the service's readers.

It writes a line for its progress from time to time, and one for a failure; it ends with 0 once the file can be read.
"""

import os
from pathlib import Path
from time import monotonic

import msgspec

from api.application.process_state import describe_failure
from api.processes import supervised as children
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.building.as_of import build_as_of_file
from projections.building.process_pool import choose_folding

NOTE_SECONDS = 0.2


class PastProgress(msgspec.Struct, frozen=True):
    """How many events of how many are done, and why it failed, if it did."""

    done: int
    total: int
    failure: str = ""


class ProgressLines:
    """Writes the progress to the service, not too often."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        self._noted_at = 0.0

    def moved(self, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` events are processed."""
        if monotonic() >= self._noted_at + NOTE_SECONDS:
            self._noted_at = monotonic()
            write(PastProgress(done, total))


def write(progress: PastProgress) -> None:
    """Write a line to the service."""
    os.write(1, msgspec.json.encode(progress) + b"\n")


def main() -> int:
    """Build what the service names; return the exit code."""
    url, position, path = children.read_arguments()
    children.give_way()
    children.on_parent_exit(lambda: os._exit(1))
    cut = int(position)
    try:
        with Ledger(url) as ledger:
            build_as_of_file(ledger, cut, Path(path), ProgressLines().moved, choose_folding(cut))
    except LedgerError as error:
        write(PastProgress(0, cut, str(error)))
        return 1
    except Exception as error:  # noqa: BLE001 - any failure is reported
        write(PastProgress(0, cut, describe_failure(error)))
        return 1
    return 0


if __name__ == "__main__":
    # At once: the thread that waits for the end of the service would block a normal exit.
    os._exit(main())
