"""Rebuilds that spread over processes: the same comes out whoever folds, and a worker that is lost costs time, not rows."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given

from domain.events.notice_events import CdrRecorded
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections.building import full_build as filling
from projections.building import partitions as folding
from projections.building import process_pool
from projections.building.catch_up import ProjectionStopped, catch_up
from projections.building.partitions import (
    FIRST,
    LAST,
    SEQUENTIAL,
    FoldedPart,
    FoldStrategy,
    Range,
    SharedBuild,
    StreamRange,
    fold_range,
    stream_ranges,
)
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import check_read_models, rebuild
from projections.proofs.leaf_product import LeafPoint
from projections.stores.generations import open_current
from projections.worker_link import WorkersCrashed, WrongLedger, open_same_ledger
from tests.support import strategies
from tests.support.effort import examples
from tests.support.ledgers import opened, record, tables
from tests.support.notices import GRACE, SRC, TAG, SentNotice, callstatus, cdr, notice, signed

ROOT = Path(__file__).parents[3]
LINES = 40
BUILDER = """
import sys
from domain.ledger import Ledger
from projections.building.rebuild import rebuild
from projections.building.process_pool import ProcessFolding

def halt(done, total):
    print("half-way", flush=True)
    sys.stdin.read()

rebuild(Ledger(sys.argv[1]), halt, ProcessFolding(3))
"""


def traffic() -> list[SentNotice]:
    """Return calls of many lines, some odd, among notices that are no call's."""
    found = []
    for number in range(LINES):
        at, src = number * GRACE, str(number)
        found += [callstatus("SRCANSWERED", at, src=src), callstatus("COMPLETED", at + 1, src=src)]
        found.append(cdr(at + 2, src=src, srccharge=f"{number}.{number:06d}", destduration=str(number)))
        found.append(notice(at + 3, type="voicemail", email="bob@example.com", r=str(number)))
        found.append(notice(at + 4, type=("deletechannel", "fax")[number % 2], src=src, r=str(number)))
    return found


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """Return a ledger with traffic, and read models that followed it."""
    with opened(store_url) as found:
        record(found, *traffic())
        follow(found)
        yield found


def follow(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def digests(ledger: Ledger, how: FoldStrategy = SEQUENTIAL) -> dict[str, str]:
    """Rebuild, which must find that nothing was wrong, and return the digests of what came out."""
    report = rebuild(ledger, folding=how)
    assert (report.found, report.position, report.certificate.events) == (0, ledger.head(), ledger.head())
    return {name: sealed.digest for name, sealed in report.certificate.read_models.items()}


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that fold for a process."""
    return [child for child in process.children() if folds(child)]


def folds(process: psutil.Process) -> bool:
    """Whether a process is a worker that lives; one that has ended may still wait to be noticed."""
    try:
        return "projections.building.worker_process" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


# Ranges


@pytest.mark.parametrize(("events", "at_least"), [(0, 1), (1, 1), (8001, 1), (100, 7), (10_000_000, 4), (5, 1000)])
def test_ranges_follow_one_another_from_the_first_stream_to_the_last(events: int, at_least: int) -> None:
    found = stream_ranges(events, at_least)
    count = max(at_least, -(-events // folding.RANGE_EVENTS))
    assert len(found) == (count if at_least == 1 else count - 4 + 4 * 4)
    assert (found[0].first, found[-1].last) == (FIRST, LAST)
    assert all(one.last == other.first for one, other in pairwise(found))
    assert [each.first for each in found] == sorted({each.first for each in found})


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_part_ends_where_it_is_full_even_within_a_long_stream_and_the_rest_gives_the_same(
    ledger: Ledger, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests(ledger)
    monkeypatch.setattr(folding, "PART_EVENTS_MAX", size)
    monkeypatch.setattr(filling, "plan_spans", lambda *_: None)
    sizes: list[int] = []

    class Noting:
        jobs = 1

        def __call__(
            self,
            ledger: Ledger,
            cut: int,
            ranges: Iterable[Range],
            at: LeafPoint | None = None,
            into: SharedBuild | None = None,
        ) -> Iterator[FoldedPart]:
            for part in SEQUENTIAL(ledger, cut, ranges, at, into):
                sizes.append(part.events)
                yield part

    assert digests(ledger, Noting()) == expected
    longest_call = 3
    assert max(sizes) <= max(size, longest_call) + longest_call - 1
    assert len(sizes) >= ledger.head() // (size + longest_call)


def test_a_range_of_no_streams_gives_no_rows(ledger: Ledger) -> None:
    part = fold_range(ledger, ledger.head(), StreamRange("g", "g"))
    assert (part.events, part.rest, part.batch.rows) == (0, None, {})


# Processes


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("ranges_per_job", [1, 4, 33])
def test_the_same_comes_out_whatever_the_number_of_processes_and_ranges(
    ledger: Ledger, jobs: int, ranges_per_job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests(ledger)
    monkeypatch.setattr(filling, "RANGES_PER_JOB", ranges_per_job)
    assert digests(ledger, ProcessFolding(jobs)) == expected
    assert not workers_of(psutil.Process())


@examples(8)
@given(strategies.logs())
def test_a_parallel_rebuild_a_rebuild_alone_and_catching_up_are_the_same(log: strategies.Log) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        for at, pairs in log:
            ledger.record([ledger.verify_delivery(signed(pairs).encode(), at)])
        follow(ledger)
        followed = tables(ledger)
        spread, alone = digests(ledger, ProcessFolding(2)), digests(ledger)
        assert spread == alone
        assert tables(ledger) == followed


def test_a_check_may_spread_too_and_finds_the_same(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store, store.transaction() as connection:
        connection.exec_driver_sql("UPDATE cdrs SET cost = cost + 1 WHERE src = '7'")
    alone, spread = check_read_models(ledger), check_read_models(ledger, folding=ProcessFolding(2))
    assert alone.found == spread.found == 1
    assert alone.differences == spread.differences
    assert alone.certificate.read_models == spread.certificate.read_models


def test_the_progress_over_all_workers_ends_with_all_events(ledger: Ledger) -> None:
    told: list[tuple[int, int]] = []
    rebuild(ledger, lambda done, total: told.append((done, total)), ProcessFolding(2))
    assert told[-1] == (ledger.head(), ledger.head())
    assert told == sorted(told)
    assert len(told) > 2


def test_this_process_folds_too_and_pauses_as_it_does(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digests(ledger)
    monkeypatch.setattr(process_pool, "OWN_EVENTS", 1)
    started: list[Generator[FoldedPart | None]] = []
    fold_in_parts = folding.fold_in_parts

    def noting(*arguments: Any, **named: Any) -> Generator[FoldedPart | None]:
        started.append(fold_in_parts(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(process_pool, "fold_in_parts", noting)
    assert digests(ledger, ProcessFolding(2)) == expected
    assert started
    assert digests(ledger, ProcessFolding(1)) == expected


def test_the_last_ranges_are_a_quarter_of_the_others_so_that_all_processes_end_at_about_the_same_time() -> None:
    starts = [int(each.first or "0", 16) for each in stream_ranges(100_000, 8)]
    sizes = [other - one for one, other in pairwise([*starts, 1 << 32])]
    assert max(sizes[21:]) <= min(sizes[:21]) / 4 + 1


def test_each_worker_has_a_range_ahead_before_any_has_another_one() -> None:
    taken: list[tuple[str, StreamRange]] = []

    class Worker:
        def __init__(self, name: str, done: int) -> None:
            self.name, self.ranges, self.link = name, [(ranges[0], 0)] * done, self
            self.connection = name

        def take(self, wanted: StreamRange, lost: int) -> None:
            self.ranges.append((wanted, lost))
            taken.append((self.name, wanted))

    ranges = stream_ranges(100_000, 8)
    waiting: process_pool.Waiting = deque([(each, 0) for each in ranges[:3]])
    workers: Any = [Worker("one", 1), Worker("two", 0), Worker("three", 2)]
    assert [*process_pool._hand_out(waiting, workers)] == ["one", "two", "three"]
    assert taken == [("two", ranges[0]), ("one", ranges[1]), ("two", ranges[2])]
    assert not waiting


def test_of_the_ranges_of_a_worker_that_crashed_only_the_first_counts_as_its_crash() -> None:
    first, second, *_ = stream_ranges(100_000, 8)
    ended: Any = SimpleNamespace(exit_code=lambda: -9, connection=SimpleNamespace(close=lambda: None))
    worker: Any = SimpleNamespace(link=ended, ranges=deque([(first, 1), (second, 0)]))
    assert process_pool._after_loss(worker) == deque([(first, 2), (second, 0)])


def test_a_range_that_cost_a_worker_is_left_to_workers() -> None:
    whole = StreamRange(FIRST, LAST)
    assert process_pool._take_own(deque([(whole, 1)])) is None
    assert process_pool._take_own(deque([(whole, 0)])) == whole
    assert process_pool._take_own(deque()) is None


def test_a_worker_that_is_killed_costs_no_rows(ledger: Ledger) -> None:
    expected = digests(ledger)
    killed: list[int] = []

    def kill_one(_done: int, _total: int) -> None:
        alive = [worker for worker in workers_of(psutil.Process()) if worker.pid not in killed]
        if alive and len(killed) < 2:
            alive[0].kill()
            killed.append(alive[0].pid)

    report = rebuild(ledger, kill_one, ProcessFolding(3))
    assert len(killed) == 2
    assert (report.found, report.certificate.events) == (0, ledger.head())
    assert {name: sealed.digest for name, sealed in report.certificate.read_models.items()} == expected


def test_a_range_that_costs_three_workers_stops_the_rebuild_and_leaves_the_live_ones(ledger: Ledger) -> None:
    before, done, killed = tables(ledger), Event(), set()

    def kill_all() -> None:
        while not done.is_set():
            # The rebuild reaps a killed worker meanwhile.
            with suppress(psutil.NoSuchProcess):
                for child in workers_of(psutil.Process()):
                    child.kill()
                    killed.add(child.pid)

    killer = Thread(target=kill_all)
    killer.start()
    try:
        with pytest.raises(
            WorkersCrashed, match=r"a worker ended 3 times over (the streams from|what begins at) .* exit code -9"
        ):
            rebuild(ledger, folding=ProcessFolding(1))
    finally:
        done.set()
        killer.join()
    assert len(killed) >= 3
    assert tables(ledger) == before
    assert not workers_of(psutil.Process())


def test_an_event_that_cannot_be_projected_stops_all_workers_with_its_position(ledger: Ledger) -> None:
    before = tables(ledger)
    stored = [StoredEvent(call_id((TAG, SRC), 9), 1, CdrRecorded.TOPIC, b"{}")]
    (bad,) = ledger.store.insert_events(stored)  # type: ignore[attr-defined]
    with pytest.raises(ProjectionStopped, match=f"position {bad} cannot be projected"):
        rebuild(ledger, folding=ProcessFolding(2))
    assert tables(ledger) == before
    assert not workers_of(psutil.Process())


def test_a_worker_that_finds_another_ledger_at_the_address_refuses(ledger: Ledger) -> None:
    with pytest.raises(WrongLedger, match=f"finds ledger {ledger.id} at .*: expected another"):
        open_same_ledger(ledger.url, "another")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_when_the_rebuild_is_ended_its_workers_end_too_and_nothing_is_half_built(
    ledger: Ledger, number: signal.Signals
) -> None:
    before = tables(ledger)
    command = [sys.executable, "-c", BUILDER, ledger.url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as building:
        assert building.stdout
        assert building.stdout.readline() == b"half-way\n"
        workers = workers_of(psutil.Process(building.pid))
        assert len(workers) == 2
        os.kill(building.pid, number)
        assert building.wait(20) != 0
    assert wait_until(lambda: not any(folds(worker) for worker in workers))
    assert tables(ledger) == before
    assert check_read_models(ledger).found == 0
