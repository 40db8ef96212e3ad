"""The process that makes the files of large downloads: as many at once as there are places, and none that only looks whole."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event
from typing import IO

import pytest

from api.processes import download_worker
from api.processes.download_messages import (
    DownloadFailed,
    DownloadJob,
    DownloadOrder,
    FileAnswer,
    FileBegun,
    FileEnded,
    FileGrown,
    OrderEnd,
    OrderStart,
)
from api.processes.download_process import DownloadMaker
from api.processes.download_worker import DownloadWorker
from domain.ledger import Ledger
from projections.building.as_of import build_as_of_file
from projections.queries.selection import Selection
from tests.support.alongside import alongside
from tests.support.command import run
from tests.support.notices import KEY
from tests.support.samples import SAMPLES

CDRS = DownloadOrder("cdrs", Selection(), "csv", is_masked=False)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Open a ledger that has a day of traffic."""
    url = f"sqlite:///{tmp_path_factory.mktemp('downloads')}/ledger.db"
    run("import", str(SAMPLES / "traffic.ndjson"), TRINGLEDGER_STORE=url, TRINGME_PRIVATE_KEY=KEY)
    run("rebuild", "--store", url)
    with closing(Ledger(url)) as opened:
        yield opened


@contextmanager
def begun(worker: DownloadWorker, order: DownloadOrder, file: IO[bytes]) -> Iterator[Iterator[int]]:
    made = worker.begin(order, file)
    try:
        yield made.sizes()
    finally:
        made.close()


def whole_file(worker: DownloadWorker, order: DownloadOrder) -> bytes:
    with TemporaryFile("w+b", buffering=0) as file, begun(worker, order, file) as sizes:
        return os.pread(file.fileno(), max(sizes), 0)


@contextmanager
def open_pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Lend both ends of a pipe; reading finds its end at once, or returns None."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with os.fdopen(read_end, "rb", buffering=0) as read, os.fdopen(write_end, "wb", buffering=0) as write:
        yield read, write


@contextmanager
def full_pipe() -> Iterator[IO[bytes]]:
    """Lend a file into which nothing more can be written, so that whoever makes it stays at it."""
    read_end, write_end = os.pipe()
    try:
        os.set_blocking(write_end, False)
        with suppress(BlockingIOError):
            while True:
                os.write(write_end, bytes(4096))
        os.set_blocking(write_end, True)
        with os.fdopen(write_end, "wb", buffering=0) as file:
            yield file
    finally:
        os.close(read_end)


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def answers_to(ledger: Ledger, *orders: tuple[DownloadOrder, IO[bytes]], unwanted: int = 0) -> list[FileAnswer]:
    """Return what the maker says until it has ended all files but the unwanted one."""
    ours, theirs = Pipe()
    with ours:
        for number, (order, file) in enumerate(orders, 1):
            ours.send(OrderStart(number, order))
            send_handle(ours, file.fileno(), os.getpid())
        if unwanted:
            ours.send(OrderEnd(unwanted))

        def serve(_stopping: Event) -> None:
            with theirs, pytest.raises((EOFError, OSError)):
                DownloadMaker(theirs, DownloadJob(ledger.url, ledger.id)).serve()

        with alongside(serve):
            said: list[FileAnswer] = []
            while sum(isinstance(each, FileEnded) for each in said) < len(orders) - bool(unwanted):
                said.append(ours.recv())
            ours.close()
    return said


def test_each_in_turn_gets_a_part_and_what_nobody_wants_any_more_gets_none(ledger: Ledger) -> None:
    with TemporaryFile() as first, TemporaryFile() as third, open_pipe() as (unwanted, second):
        masked = CDRS._replace(form="ndjson", is_masked=True, columns=("src", "price"))
        said = answers_to(ledger, (CDRS, first), (CDRS, second), (masked, third), unwanted=2)
        second.close()
        assert unwanted.read() == b"", "the process has closed it as well"
        sizes = [os.fstat(file.fileno()).st_size for file in (first, third)]
        assert os.pread(first.fileno(), sizes[0], 0).decode() == run("export", "cdrs", "--store", ledger.url).out
        assert "•" in os.pread(third.fileno(), sizes[1], 0).decode().splitlines()[0]
    assert [(type(each), each.number) for each in said[:2]] == [(FileBegun, 1), (FileBegun, 3)]
    assert [each.size for each in said if isinstance(each, FileGrown) and each.number == 1][-1] == sizes[0]
    assert FileEnded(1) in said


def test_read_models_of_an_earlier_position_are_read_where_they_are(ledger: Ledger, tmp_path: Path) -> None:
    build_as_of_file(ledger, 40, tmp_path / "40.db")
    with TemporaryFile() as file:
        said = answers_to(ledger, (CDRS._replace(past=str(tmp_path / "40.db")), file))
        made = os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()
    assert said[0] == FileBegun(1, 40)
    assert made == run("export", "cdrs", "--as-of", "40", "--store", ledger.url).out


def test_a_file_that_fails_ends_alone(ledger: Ledger) -> None:
    with TemporaryFile() as first, TemporaryFile() as second:
        said = answers_to(ledger, (CDRS._replace(past="/nowhere/9.db"), first), (CDRS, second))
    failed, whole = sorted((each for each in said if isinstance(each, FileEnded)), key=lambda each: each.number)
    assert failed.failure
    assert not whole.failure


def test_a_disk_that_is_nearly_full_gets_no_file(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs_result((4096, 4096, 1000, 100, 40, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda _descriptor: disk)
    with (
        TemporaryFile() as file,
        pytest.raises(DownloadFailed, match=r"163840 bytes are free.*expected 204800 or more"),
    ):
        DownloadWorker(ledger).begin(CDRS, file)


def test_no_more_are_made_than_there_are_places_and_a_lost_process_or_the_end_leaves_none_that_looks_whole(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_worker, "AT_ONCE_MAX", 1)
    monkeypatch.setattr(download_worker, "WAIT_SECONDS", 0.01)
    with closing(DownloadWorker(ledger)) as worker:
        with full_pipe() as file, begun(worker, CDRS, file) as sizes:
            with pytest.raises(DownloadFailed, match="1 files are being made"):
                worker.begin(CDRS, file)
            first = worker.process_id
            assert first
            os.kill(first, 9)
            with pytest.raises(DownloadFailed, match="the process that makes files ended"):
                list(sizes)
        assert whole_file(worker, CDRS).decode() == run("export", "cdrs", "--store", ledger.url).out
        second = worker.process_id
        assert second not in {None, first}, "another process took over"
        with full_pipe() as file, begun(worker, CDRS, file) as sizes:
            worker.close()
            with pytest.raises(DownloadFailed):
                list(sizes)
        assert not is_running(second or 0)
        with TemporaryFile() as late, pytest.raises(DownloadFailed, match="the service is stopping"):
            worker.begin(CDRS, late)
    assert worker.process_id is None
