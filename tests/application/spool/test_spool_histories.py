"""Callbacks through whatever happens to store, disk and process: what was answered is in the log, once, and in its order."""

import asyncio
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.application.intake import Intake, IntakeOutcome
from api.application.spool.callback_spool import CallbackSpool, Spooled
from api.application.spool.spool_directory import SpoolDirectory
from api.application.spool.spool_drainer import SpoolDrainer
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.outcomes import Duplicate, Recorded
from domain.recording import Delivery, Recording
from tests.support.effort import examples
from tests.support.ledgers import opened
from tests.support.notices import START, callstatus, signed

STORE = ("store goes", "store comes", "next answer of the store is lost", "drain", "kill", "kill amid a write")
DISK = ("disk fails", "disk works")


class World:
    """A ledger whose store comes and goes, a spool on a disk that may fail, and a process that may be killed."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.ledger = ledger
        self.is_away = self.is_answer_lost = self.is_disk_failing = False
        self._begin = ledger.recording
        ledger.recording = self._recording  # type: ignore[method-assign]
        self._folder = folder
        self._directory = SpoolDirectory(folder, ledger.id, "host")
        self.start()

    @contextmanager
    def _recording(self) -> Iterator[Recording]:
        if self.is_away:
            raise StoreUnavailable("away")
        with self._begin() as recording:
            yield recording
        if self.is_answer_lost:
            self.is_answer_lost = False
            raise StoreUnavailable("its answer was lost")

    def start(self) -> None:
        self.spool = CallbackSpool(self._directory.open_own, 1 << 20)
        self.spool.open()
        self._drainer = SpoolDrainer(self.spool, self._directory, self.ledger)

    def happen(self, event: str) -> None:
        """Let something happen."""
        match event:
            case "store goes" | "store comes":
                self.is_away = event == "store goes"
            case "next answer of the store is lost":
                self.is_answer_lost = True
            case "drain":
                self._drainer.drain()
            case "disk fails" | "disk works":
                self.is_disk_failing = event == "disk fails"
            case _:
                self.spool._let_go()
                if event == "kill amid a write":
                    for file in self._folder.glob("*.spool"):
                        with file.open("ab") as end:
                            end.write(b"\0\0\0\x40half a record")
                self.start()

    def sync(self, file: int) -> None:
        """Do as os.fdatasync does, on a disk that may fail."""
        if self.is_disk_failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fsync(file)

    def recover(self) -> None:
        """Let all be well in the end, until nothing waits."""
        for event in ("disk works", "store comes", "drain", "drain", "drain"):
            self.happen(event)
        assert self._directory.totals().callbacks == 0


async def answered(world: World, events: Sequence[str | int]) -> list[tuple[int, IntakeOutcome | Exception]]:
    """Live through events, of which the numbers are callbacks; return the answer to each callback."""
    intake = Intake(world.ledger.recording, 10, is_remote=True, spool=world.spool)
    intake.start()
    answers: list[tuple[int, IntakeOutcome | Exception]] = []
    for event in events:
        if isinstance(event, int):
            intake._spool = world.spool
            try:
                answers.append((event, await intake.record(delivery(world.ledger, event))))
            except StoreUnavailable as error:
                answers.append((event, error))
        else:
            world.happen(event)
    await intake.stop()
    return answers


def delivery(ledger: Ledger, number: int) -> Delivery:
    return ledger.verify_delivery(signed(callstatus(r=number)).encode(), START + number)


def logged(ledger: Ledger) -> list[int]:
    """Return the numbers of the callbacks in the log; each must have kept the time at which it came."""
    notices = [ledger.notice_at(position) for position in range(1, ledger.head() + 1)]
    numbers = [int(dict(notice.params)["r"]) for notice in notices]
    assert [notice.received_at for notice in notices] == [START + number for number in numbers]
    return numbers


@contextmanager
def new_world() -> Iterator[World]:
    with TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        world = World(Path(folder), ledger)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("api.application.spool.spool_file.os.fdatasync", world.sync)
            with closing(world.spool):
                yield world


def numbered(events: list[str]) -> list[str | int]:
    """Number the callbacks."""
    return [number if event == "callback" else event for number, event in enumerate(events)]


@examples(150)
@given(st.lists(st.sampled_from((*STORE, *["callback"] * 6)), min_size=10, max_size=30).map(numbered))
@example(numbered(["store goes", "callback", "store comes", "callback", "drain", "callback"]))
@example(numbered(["next answer of the store is lost", "callback", "callback", "kill", "callback", "drain"]))
def test_without_a_failing_disk_all_get_a_200_and_are_in_the_log_in_their_order(events: list[str | int]) -> None:
    with new_world() as world:
        answers = asyncio.run(answered(world, events))
        world.recover()
        assert all(isinstance(answer, Recorded | Spooled) for _, answer in answers)
        assert logged(world.ledger) == [number for number, _ in answers]


@examples(150)
@given(st.lists(st.sampled_from((*STORE, *DISK, *["callback"] * 6)), min_size=10, max_size=30).map(numbered))
@example(numbered(["store goes", "callback", "disk fails", "callback", "store comes", "callback", "drain", "callback"]))
def test_whatever_happens_what_was_answered_is_in_the_log_once(events: list[str | int]) -> None:
    with new_world() as world:
        answers = asyncio.run(answered(world, events))
        world.recover()
        log = logged(world.ledger)
        kept = {number for number, answer in answers if isinstance(answer, Recorded | Spooled | Duplicate)}
        assert len(set(log)) == len(log)
        assert kept <= set(log) <= {number for number, _ in answers}
