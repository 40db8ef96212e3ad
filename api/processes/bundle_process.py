"""The process that makes the bundle of a large bill: it reads and folds each of its calls, which would make every page wait as a thread.

It is started by ``bundle_worker.py``, and ends with the service, however that ends: the other end of its connection is closed then.
"""

import sys
from contextlib import closing
from multiprocessing.connection import Connection
from typing import NamedTuple

from api.application.proofs.bundle_builder import bundle_bill
from api.processes.supervised import give_way
from projections.stores.generations import open_current
from projections.worker_link import open_same_ledger, serve_parent


class BundleJob(NamedTuple):
    """The bill that is to be proven: of an account, for a month ``YYYY-MM``."""

    url: str
    ledger_id: str
    account: str
    period: str


def serve_bundle(connection: Connection) -> None:
    """Receive a job, and send the bundle."""
    job: BundleJob = connection.recv()
    with open_same_ledger(job.url, job.ledger_id) as ledger, closing(open_current(ledger)) as store:
        connection.send(bundle_bill(ledger, store, job.account, job.period))


def main(descriptor: int) -> None:
    """Make one bundle."""
    give_way()
    serve_parent(descriptor, serve_bundle)


if __name__ == "__main__":
    main(int(sys.argv[1]))
