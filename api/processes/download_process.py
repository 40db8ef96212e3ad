"""The process that makes the files of large downloads: a part of each in turn, so that a small one does not wait for a large one.

It is started by ``download_worker.py``. As a thread of the service it would make every page wait for Python's lock; it has a lower
priority, too. It ends with the service, however that ends: the other end of its connection is closed then.
"""

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import IO

from api.application.process_state import describe_failure
from api.application.read_model_pool import ReadSession
from api.processes.download_messages import (
    DownloadJob,
    FileAnswer,
    FileBegun,
    FileEnded,
    FileGrown,
    OrderEnd,
    OrderStart,
    check_room,
    write_whole,
)
from api.processes.supervised import give_way
from domain.ledger import Ledger
from projections.building.as_of import open_as_of_file
from projections.stores.generations import open_current
from projections.worker_link import open_same_ledger, serve_parent


class DownloadMaker:
    """Makes files until the other end of its connection is closed."""

    def __init__(self, connection: Connection, job: DownloadJob) -> None:
        """Receive orders of ``job`` on a connection, and send the answers there."""
        self._connection = connection
        self._job = job
        self._making: deque[tuple[int, Iterator[FileAnswer], IO[bytes]]] = deque()

    def serve(self) -> None:
        """Take what was sent, and make a part of the next file; raises EOFError at the end."""
        while True:
            while self._connection.poll(0 if self._making else None):
                self._take(self._connection.recv())
            if self._making:
                self._make_part()

    def _take(self, message: OrderStart | OrderEnd) -> None:
        if isinstance(message, OrderStart):
            wanted = os.fdopen(recv_handle(self._connection), "wb", buffering=0)
            self._making.append((message.number, make_file(self._job, message, wanted), wanted))
            return
        for making in [*self._making]:
            number, parts, file = making
            if number == message.number:
                self._making.remove(making)
                parts.close()  # type: ignore[attr-defined]
                file.close()  # What was not begun closes nothing itself.

    def _make_part(self) -> None:
        number, parts, file = self._making.popleft()
        try:
            answer = next(parts)
        except Exception as error:  # noqa: BLE001 - any failure is reported, and breaks one file
            answer = FileEnded(number, describe_failure(error))
        if not isinstance(answer, FileEnded):
            self._making.append((number, parts, file))
        self._connection.send(answer)


def make_file(job: DownloadJob, start: OrderStart, file: IO[bytes]) -> Iterator[FileAnswer]:
    """Write a file part by part, close it, and yield what is to be said of it."""
    # A service loads no module that makes files before it needs it, this process neither.
    from projections.export.writer import Format, export_parts  # noqa: PLC0415

    number, order = start
    with ExitStack() as held:
        held.enter_context(file)
        with open_same_ledger(job.url, job.ledger_id) as ledger:
            room, timezone = _open_session(held, ledger, order.past), ledger.timezone
        rows = order.open_rows(room, timezone)
        held.callback(rows.close)
        yield FileBegun(number, room.position)
        size = 0
        for part in export_parts(rows, Format(order.form), excel_safe=order.excel_safe):
            check_room(file.fileno())
            size += write_whole(file.fileno(), part)
            yield FileGrown(number, size)
        yield FileEnded(number)


def _open_session(held: ExitStack, ledger: Ledger, past: str) -> ReadSession:
    """Begin a transaction on the read models, which lasts as long as what is held."""
    store = open_as_of_file(ledger, Path(past)) if past else open_current(ledger)
    held.callback(store.close)
    connection = held.enter_context(store.snapshot())
    return ReadSession(connection, store.position(connection, ledger.store), ledger, store)


def main(descriptor: int) -> None:
    """Work until the other end of the connection is closed."""
    give_way()
    serve_parent(descriptor, lambda connection: DownloadMaker(connection, connection.recv()).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]))
