"""A worker of a rebuild: a process that reads the log for itself, folds the ranges that it is given, and sends the rows back.

It is started by ``workers.py`` and ends with the process that started it, however that ends: then nobody holds the other end
of its connection.
"""

import gc
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NamedTuple

from domain.errors import LedgerError
from domain.ledger import Ledger
from domain.log.urls import redacted
from projections.building.partitions import fold_range


class FoldJob(NamedTuple):
    """What all ranges of a rebuild have in common: whose log it is, and up to which position it is read."""

    url: str
    ledger_id: str
    cut: int


class WrongLedger(LedgerError):
    """A worker finds another ledger at the address than the one that is being rebuilt."""


def open_ledger(job: FoldJob) -> Ledger:
    """Open the ledger of a job; raises WrongLedger where its address leads to another one from here."""
    ledger = Ledger(job.url)
    if ledger.id != job.ledger_id:
        ledger.close()
        msg = f"a worker finds ledger {ledger.id} at {redacted(job.url)}: expected {job.ledger_id}"
        raise WrongLedger(msg)
    return ledger


def serve_ranges(connection: Connection) -> None:
    """Take a job, then ranges, and send for each its part; an error that is met is sent, and ends it."""
    job: FoldJob = connection.recv()
    try:
        with open_ledger(job) as ledger:
            while True:
                connection.send(fold_range(ledger, job.cut, connection.recv()))
    except LedgerError as error:
        connection.send(error)


def main(descriptor: int) -> None:
    """Work until the other end of the connection is gone."""
    gc.disable()  # Rows and calls refer to nothing that refers to them: searching for cycles is a tenth of the time.
    with Connection(descriptor) as connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve_ranges(connection)


if __name__ == "__main__":
    main(int(sys.argv[1]))
