"""A worker of a full check: a process that reads the log itself, and sends the leaf hashes and the problems of each span.

It is started by ``span_workers.py``, and ends with the process that started it.
"""

import gc
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

from projections.proofs.log_spans import Span
from projections.proofs.span_check import check_notices
from projections.worker_link import open_same_ledger, serve_parent


class CheckJob(NamedTuple):
    """What all spans of a check have in common: the log, the ledger's id, and the private keys of signatures."""

    url: str
    ledger_id: str
    private_keys: tuple[str, ...]


def serve_spans(connection: Connection) -> None:
    """Receive a job, then spans, and send what was found of each."""
    job: CheckJob = connection.recv()
    with open_same_ledger(job.url, job.ledger_id) as ledger:
        ledger.store.keep_few_pages()
        for checked in check_notices(ledger.store, job.private_keys)(_received(connection)):
            connection.send(checked)


def _received(connection: Connection) -> Iterator[Span]:
    while True:
        yield connection.recv()


def main(descriptor: int) -> None:
    """Work until the other end of the connection is closed."""
    gc.disable()  # Events and notices are in no reference cycles.
    serve_parent(descriptor, serve_spans)


if __name__ == "__main__":
    main(int(sys.argv[1]))
