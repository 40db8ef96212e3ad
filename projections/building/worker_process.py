"""A worker of a rebuild: a process that reads the log itself, folds the ranges that it receives, and sends the rows back.

It is started by ``process_pool.py``, and ends with the process that started it, however that ends: the other end of its
connection is closed then.
"""

import gc
import sys
from multiprocessing.connection import Connection
from typing import NamedTuple

from projections.building.part_writer import part_writer
from projections.building.partitions import SharedBuild, fold_range
from projections.building.row_images import ImageTable, pack_rows
from projections.proofs.leaf_product import LeafPoint
from projections.rows.projector import Kinds
from projections.worker_link import open_same_ledger, serve_parent


class FoldJob(NamedTuple):
    """What all ranges of a rebuild have in common: the log, the ledger's id, and the position up to which it is read.

    ``at`` is where the product of the events' leaves is made, if they are hashed. With ``kinds``, only rows of these classes are made.
    Rows are written into the build ``into``, if there is one. Otherwise they are sent, those of the tables
    ``images`` as images.
    """

    url: str
    ledger_id: str
    cut: int
    at: LeafPoint | None = None
    kinds: Kinds = None
    images: tuple[ImageTable, ...] = ()
    into: SharedBuild | None = None


def serve_ranges(connection: Connection) -> None:
    """Receive a job, then ranges, and send the part of each."""
    job: FoldJob = connection.recv()
    with open_same_ledger(job.url, job.ledger_id) as ledger, part_writer(ledger, job.into) as write:
        while True:
            part = write(fold_range(ledger, job.cut, connection.recv(), job.at, job.kinds))
            if job.images:
                pack_rows(part.batch, job.images)
            connection.send(part)


def main(descriptor: int) -> None:
    """Work until the other end of the connection is closed."""
    gc.disable()  # Rows and calls are in no reference cycles, and looking for some costs a tenth of the time.
    serve_parent(descriptor, serve_ranges)


if __name__ == "__main__":
    main(int(sys.argv[1]))
