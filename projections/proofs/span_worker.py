"""A worker of a full check: a process that reads the log itself, and sends the leaf hashes and the problems of each span.

It is started by ``span_workers.py``, and ends with the process that started it.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NamedTuple

from domain.errors import LedgerError
from projections.proofs.log_spans import Span
from projections.proofs.span_check import check_notices
from projections.worker_link import open_same_ledger


class CheckJob(NamedTuple):
    """What all spans of a check have in common: the log, the ledger's id, and the private keys of signatures."""

    url: str
    ledger_id: str
    private_keys: tuple[str, ...]


def serve_spans(connection: Connection) -> None:
    """Receive a job, then spans, and send what was found of each; an error is sent, too, and ends the worker."""
    job: CheckJob = connection.recv()
    try:
        with open_same_ledger(job.url, job.ledger_id) as ledger:
            ledger.store.keep_few_pages()
            for checked in check_notices(ledger.store, job.private_keys)(_received(connection)):
                connection.send(checked)
    except LedgerError as error:
        connection.send(error)


def _received(connection: Connection) -> Iterator[Span]:
    while True:
        yield connection.recv()


def main(descriptor: int) -> None:
    """Work until the other end of the connection is closed."""
    gc.disable()  # Events and notices are in no reference cycles.
    with Connection(descriptor) as connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve_spans(connection)


if __name__ == "__main__":
    main(int(sys.argv[1]))
