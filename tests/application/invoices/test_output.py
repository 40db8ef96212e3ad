"""Where a bill run writes: files in the order of their documents, whichever process is done first; and a disk that is full."""

import errno
import gc
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from api.application.invoices import parallel_rendering
from api.application.invoices.bill_run import DocumentFiles
from api.application.invoices.output import ZipOutput, open_output
from api.application.invoices.parallel_rendering import render_documents
from api.application.invoices.rendering import PDF
from projections.atomic_file import NotWritten

DOCUMENTS = 9


class SlowAtFirst:
    """A worker that holds its answer to the first document back until the next three were sent to the other one."""

    held: list[Callable[[], None]] = []  # noqa: RUF012 - all of them share it.
    sent = 0

    def __init__(self, *_: object) -> None:
        self.connection, self._theirs = Pipe()

    def send(self, tasks: list[tuple[str, Any]]) -> None:
        cls = type(self)
        cls.sent += 1
        cls.held.append(lambda: self._theirs.send([(tasks[0][0], b"")]))
        if tasks[0][0] != "0":
            cls.held.pop()()
            while cls.held and cls.sent > 3:
                cls.held.pop()()

    def receive(self) -> object:
        return self.connection.recv()

    def stop(self) -> None:
        self.connection.close()
        self._theirs.close()


def test_documents_come_in_their_order_whichever_process_is_done_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_rendering, "WorkerLink", SlowAtFirst)
    given = [DocumentFiles({"number": str(number)}, [(str(number), None)], []) for number in range(DOCUMENTS)]  # type: ignore[list-item]
    found = list(render_documents(given, DOCUMENTS, (PDF,), 2))
    assert [(document.entry["number"], files) for document, files in found] == [
        (str(number), [(str(number), b"")]) for number in range(DOCUMENTS)
    ]


def test_a_zip_on_a_full_disk_is_not_there_and_says_nothing_but_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ZipOutput, "finish", fail)
    with pytest.raises(NotWritten, match="No space left on device"), open_output(tmp_path / "bills.zip") as output:
        output.finish("one", b"1", "")
    gc.collect()
    assert list(tmp_path.iterdir()) == []
