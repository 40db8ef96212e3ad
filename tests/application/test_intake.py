"""Group commit: what shares a transaction, what is refused, and that everybody gets just his own answer."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest

from api.application.intake import BATCH_MAX, Begin, Intake, IntakeBusy, IntakeOutcome
from domain.errors import StoreUnavailable
from domain.notices.notification import Notification
from domain.notices.signature import SignatureVerdict
from domain.outcomes import Recorded, RecordOutcome
from domain.recording import Delivery
from tests.support.asgi_service import SECONDS_MAX, on_a_loop


def delivery(number: int) -> Delivery:
    return Delivery(Notification(b"f=tm", number, [("f", "tm")]), SignatureVerdict("off", ""), "callback")


class Disk:
    """A store that the test can hold up, fill, or make choke on one delivery; it remembers its transactions."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.recorded: list[int] = []
        self.full = False
        self.chokes_on: set[int] = set()
        self.free = threading.Event()
        self.free.set()
        self.begun = 0
        self.unlocked = threading.Event()
        self.unlocked.set()

    @contextmanager
    def begin(self) -> Iterator["Transaction"]:
        transaction = Transaction(self.chokes_on)
        self.begun += 1
        assert self.unlocked.wait(SECONDS_MAX)
        yield transaction
        self.batches.append(transaction.numbers)
        assert self.free.wait(SECONDS_MAX)
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.recorded += transaction.numbers


class Transaction:
    """Answers with the number of each delivery, and chokes on some."""

    def __init__(self, chokes_on: set[int]) -> None:
        self.chokes_on = chokes_on
        self.numbers: list[int] = []

    def record_all(self, deliveries: Sequence[Delivery]) -> list[RecordOutcome]:
        self.numbers = [each.notification.received_at for each in deliveries]
        if self.chokes_on & set(self.numbers):
            raise ValueError("a delivery that cannot be written")
        return [Recorded(number) for number in self.numbers]


def with_intake(
    scenario: Callable[[Intake, Disk], Awaitable[None]], disk: Disk | None = None, queue_max: int = 10_000
) -> Disk:
    """Run a scenario beside a started intake, stop that, and return the disk."""
    on = disk or Disk()

    async def run() -> None:
        intake = Intake(cast("Begin", on.begin), queue_max)
        intake.start()
        try:
            await scenario(intake, on)
        finally:
            on.free.set()
            await intake.stop()

    on_a_loop(run)
    return on


async def submitted(intake: Intake, *numbers: int) -> list["asyncio.Task[IntakeOutcome]"]:
    """Submit deliveries at once and return their tasks, each of which then waits."""
    tasks = [asyncio.ensure_future(intake.record(delivery(number))) for number in numbers]
    await asyncio.sleep(0)
    return tasks


async def busy_with(disk: Disk, number: int) -> None:
    """Wait until the disk has begun to write a delivery."""
    while not any(number in batch for batch in disk.batches):  # noqa: ASYNC110 - the disk is on another thread
        await asyncio.sleep(0.001)


async def hold_up(intake: Intake, disk: Disk) -> "asyncio.Task[IntakeOutcome]":
    """Let the disk hang over delivery 0, so that what comes after has to wait."""
    disk.free.clear()
    (first,) = await submitted(intake, 0)
    await busy_with(disk, 0)
    return first


class TestAnIdleIntake:
    def test_one_delivery_is_recorded_and_answered(self) -> None:
        async def scenario(intake: Intake, _: Disk) -> None:
            assert await intake.record(delivery(7)) == Recorded(7)

        assert with_intake(scenario).batches == [[7]]

    def test_it_stops_with_nothing_to_do(self) -> None:
        async def scenario(_intake: Intake, _disk: Disk) -> None:
            pass

        assert with_intake(scenario).batches == []


class TestWhileTheDiskIsBusy:
    def test_what_comes_meanwhile_shares_the_next_transaction_in_order(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            others = await submitted(intake, *range(1, 51))
            disk.free.set()
            assert await asyncio.gather(first, *others) == [Recorded(number) for number in range(51)]

        assert with_intake(scenario).batches == [[0], list(range(1, 51))]

    def test_a_transaction_has_its_limit(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            others = await submitted(intake, *range(1, BATCH_MAX + 11))
            disk.free.set()
            await asyncio.gather(first, *others)

        assert [len(batch) for batch in with_intake(scenario).batches] == [1, BATCH_MAX, 10]

    def test_nobody_is_answered_before_the_commit(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            done, _ = await asyncio.wait([first], timeout=0.05)
            assert not done
            disk.free.set()
            assert await first == Recorded(0)

        with_intake(scenario)

    def test_a_full_queue_refuses_at_once_and_keeps_nothing(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            others = await submitted(intake, 1, 2)
            with pytest.raises(IntakeBusy, match="3 callbacks are already waiting"):
                await intake.record(delivery(3))
            disk.free.set()
            await asyncio.gather(first, *others)
            assert await intake.record(delivery(4)) == Recorded(4)

        assert with_intake(scenario, queue_max=3).recorded == [0, 1, 2, 4]

    def test_a_sender_that_hangs_up_spoils_nothing_for_the_others(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            gone, stays = await submitted(intake, 1, 2)
            gone.cancel()
            disk.free.set()
            assert (await first, await stays) == (Recorded(0), Recorded(2))
            assert gone.cancelled()

        assert with_intake(scenario).recorded == [0, 1, 2]

    def test_those_who_hung_up_take_no_place_in_the_queue_for_ever(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            for _ in range(5):
                first = await hold_up(intake, disk)
                for task in await submitted(intake, 1, 2):
                    task.cancel()
                disk.free.set()
                await first
                disk.batches.clear()
                assert await intake.record(delivery(9)) == Recorded(9)

        with_intake(scenario, queue_max=3)

    def test_stopping_writes_and_answers_all_that_waits(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            others = await submitted(intake, *range(1, BATCH_MAX + 21))
            stopping = asyncio.ensure_future(intake.stop())
            await asyncio.sleep(0)
            with pytest.raises(IntakeBusy, match="stopping"):
                await intake.record(delivery(-1))
            done, _ = await asyncio.wait([stopping], timeout=0.05)
            assert not done
            disk.free.set()
            await stopping
            assert len(await asyncio.gather(first, *others)) == BATCH_MAX + 21

        assert with_intake(scenario).recorded == list(range(BATCH_MAX + 21))


class TestWhileAnotherProgramHoldsTheLock:
    def test_what_comes_meanwhile_is_in_the_transaction_that_waits_for_it(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            disk.unlocked.clear()
            tasks = await submitted(intake, 1)
            while not disk.begun:  # noqa: ASYNC110 - the disk is on another thread
                await asyncio.sleep(0.001)
            tasks += await submitted(intake, 2, 3)
            disk.unlocked.set()
            assert await asyncio.gather(*tasks) == [Recorded(1), Recorded(2), Recorded(3)]

        disk = with_intake(scenario)
        assert (disk.batches, disk.begun) == ([[1, 2, 3]], 1)


class TestADeliveryThatCannotBeWritten:
    def test_it_fails_alone_and_its_batch_is_recorded(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            disk.chokes_on = {3}
            first = await hold_up(intake, disk)
            tasks = await submitted(intake, 1, 2, 3, 4)
            disk.free.set()
            outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
            assert isinstance(outcomes.pop(3), ValueError)
            assert outcomes == [Recorded(0), Recorded(1), Recorded(2), Recorded(4)]

        disk = with_intake(scenario)
        assert (disk.recorded, disk.batches[1:]) == ([0, 1, 2, 4], [[1], [2], [4]])

    def test_the_intake_goes_on_after_it_and_counts_as_well(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            disk.chokes_on = {1}
            with pytest.raises(ValueError, match="cannot be written"):
                await intake.record(delivery(1))
            assert await intake.record(delivery(2)) == Recorded(2)
            assert intake.recent_failure() == ""

        with_intake(scenario, queue_max=1)

    def test_a_disk_that_fills_up_meanwhile_is_told_as_such(self) -> None:
        class Filling(Disk):
            @contextmanager
            def begin(self) -> Iterator[Transaction]:
                self.full = len(self.batches) > 1
                with super().begin() as transaction:
                    yield transaction

        async def scenario(intake: Intake, disk: Disk) -> None:
            disk.chokes_on = {2}
            first = await hold_up(intake, disk)
            tasks = await submitted(intake, 1, 2, 3)
            disk.free.set()
            outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
            assert outcomes[:2] == [Recorded(0), Recorded(1)]
            assert [type(outcome) for outcome in outcomes[2:]] == [ValueError, StoreUnavailable]

        with_intake(scenario, Filling())


class TestAFullDisk:
    def test_every_waiter_is_told(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            tasks = await submitted(intake, 1, 2, 3)
            disk.full = True
            disk.free.set()
            outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
            assert [str(outcome) for outcome in outcomes] == ["the disk is full"] * 4
            assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)

        assert with_intake(scenario).recorded == []

    def test_the_batch_is_not_tried_one_by_one(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            first = await hold_up(intake, disk)
            tasks = await submitted(intake, 1, 2, 3)
            disk.full = True
            disk.free.set()
            await asyncio.gather(first, *tasks, return_exceptions=True)

        assert with_intake(scenario).batches == [[0], [1, 2, 3]]

    def test_the_failure_is_known_until_something_is_recorded(self) -> None:
        async def scenario(intake: Intake, disk: Disk) -> None:
            disk.full = True
            with pytest.raises(StoreUnavailable):
                await intake.record(delivery(1))
            assert intake.recent_failure() == "the disk is full"
            disk.full = False
            await intake.record(delivery(2))
            assert intake.recent_failure() == ""

        with_intake(scenario)


class TestManySendersAtOnce:
    def test_each_gets_its_own_answer(self) -> None:
        async def scenario(intake: Intake, _: Disk) -> None:
            answers = await asyncio.gather(*(intake.record(delivery(number)) for number in range(2000)))
            assert answers == [Recorded(number) for number in range(2000)]

        disk = with_intake(scenario)
        assert (disk.recorded, len(disk.batches) < 200) == (list(range(2000)), True)
