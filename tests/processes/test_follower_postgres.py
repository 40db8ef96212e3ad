"""Followers on PostgreSQL, as real processes on a real server: one follows, others take over, and what is cut heals."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from statistics import median

import psycopg
import pytest

from api.application.process_state import ProcessState
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from projections.building.rebuild import check_read_models, rebuild
from projections.stores.generations import generation_of, open_current
from tests.support.ledgers import opened, record, tables
from tests.support.notices import GRACE, callstatus, cdr
from tests.support.postgres_server import Postgres

ROOT = Path(__file__).parents[2]
TAKEOVER_SECONDS_MAX = 5
HEALING_SECONDS_MAX = 30
FOLLOW = "from api.processes.follower import main; main()"
DEAF = (
    "from projections.stores import postgres_follower_lock; postgres_follower_lock.CHANNEL = 'nobody_speaks'; " + FOLLOW
)


class Follower:
    """The follower's process as a service starts it, and what it last said."""

    def __init__(self, url: str, code: str = FOLLOW) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-W", "error", "-c", code]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.said: list[ProcessState] = []
        assert self.process.stdin
        self.process.stdin.write(json.dumps([url]).encode() + b"\n")
        self.process.stdin.flush()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(ProcessState(**json.loads(line)))

    @property
    def state(self) -> ProcessState:
        return self.said[-1] if self.said else ProcessState(-1)

    def is_at(self, position: int) -> bool:
        return self.state.position == position and not self.state.failure

    def stop(self) -> None:
        """End it as its service does; a process that was killed is ended already."""
        assert self.process.stdin
        self.process.stdin.close()
        self._wait()

    def kill(self) -> None:
        self.process.kill()
        self._wait()
        self.stop()

    def _wait(self) -> None:
        self.process.wait(HEALING_SECONDS_MAX)
        self._listening.join()
        assert self.process.stdout
        self.process.stdout.close()


@contextmanager
def following(url: str, code: str = FOLLOW) -> Iterator[Follower]:
    follower = Follower(url, code)
    try:
        yield follower
    finally:
        follower.stop()


def within(seconds: float, what: Callable[[], object]) -> float:
    """Wait until something is so, and return how long that took; fails where it takes longer than that."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, f"it did not come about within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with opened(database) as found:
        yield found


def add(ledger: Ledger, number: int) -> None:
    """Record a call, again and again where the store is unavailable: what was recorded is not recorded twice."""
    at = number * 3 * GRACE
    until = time.monotonic() + HEALING_SECONDS_MAX
    while True:
        try:
            record(
                ledger, callstatus("SRCANSWERED", at), callstatus("COMPLETED", at + 1), cdr(at + 2, srccharge="1.25")
            )
        except StoreUnavailable:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def leads(follower: Follower) -> bool:
    return bool(follower.said) and not follower.state.stands_by and not follower.state.failure


def agrees(ledger: Ledger, calls: int) -> bool:
    """Whether the read models are those of the log, as the followers left them: no row doubled, none lost."""
    report = check_read_models(ledger, catch_up_first=False)
    (bill,) = tables(ledger)["billing"]
    assert report[:3] == ([], 0, ledger.head())
    return bill[2] == calls and bill[6] == calls * 1_250_000


def test_one_follows_and_the_other_stands_by_at_the_same_position(database: str, ledger: Ledger) -> None:
    add(ledger, 1)
    with following(database) as first, following(database) as second:
        within(HEALING_SECONDS_MAX, lambda: first.is_at(3) and second.is_at(3))
        assert sorted([first.state.stands_by, second.state.stands_by]) == [False, True]
        add(ledger, 2)
        assert within(3, lambda: first.is_at(6) and second.is_at(6)) < 3
    assert agrees(ledger, 2)


@pytest.mark.parametrize(("code", "seconds_max"), [(FOLLOW, 0.7), (DEAF, 1.5)], ids=["woken", "deaf"])
def test_events_are_followed_at_once_and_within_a_second_or_so_without_a_word(
    database: str, ledger: Ledger, code: str, seconds_max: float
) -> None:
    add(ledger, 1)
    with following(database, code) as follower:
        within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
        took = []
        for number in range(2, 7):
            add(ledger, number)
            took.append(within(HEALING_SECONDS_MAX, lambda: follower.is_at(3 * number)))  # noqa: B023
    assert median(took) < seconds_max


class TestTakingOver:
    def test_a_killed_follower_is_replaced_within_five_seconds(self, database: str, ledger: Ledger) -> None:
        add(ledger, 1)
        with following(database) as first:
            within(HEALING_SECONDS_MAX, lambda: leads(first) and first.is_at(3))
            with following(database) as second:
                within(HEALING_SECONDS_MAX, lambda: second.is_at(3) and second.state.stands_by)
                first.kill()
                add(ledger, 2)
                took = within(TAKEOVER_SECONDS_MAX, lambda: leads(second) and second.is_at(6))
        assert took < TAKEOVER_SECONDS_MAX
        assert agrees(ledger, 2)

    @pytest.mark.thorough
    def test_again_and_again_under_load_doubles_no_row(self, database: str, ledger: Ledger) -> None:
        numbers, done = count(1), threading.Event()

        def load() -> None:
            while not done.is_set():
                add(ledger, next(numbers))

        loading = threading.Thread(target=load)
        loading.start()
        followers = [Follower(database) for _ in range(2)]
        try:
            for _ in range(4):
                leader = self.leader(followers)
                time.sleep(0.3)
                leader.kill()
                followers.remove(leader)
                within(TAKEOVER_SECONDS_MAX, lambda: any(map(leads, followers)))
                followers.append(Follower(database))
        finally:
            done.set()
            loading.join()
            head = ledger.head()
            with suppress(AssertionError):
                within(HEALING_SECONDS_MAX, lambda: any(leads(each) and each.is_at(head) for each in followers))
            for each in followers:
                each.kill()
        assert agrees(ledger, next(numbers) - 1)

    def leader(self, followers: list[Follower]) -> Follower:
        within(HEALING_SECONDS_MAX, lambda: any(map(leads, followers)))
        return next(filter(leads, followers))

    @pytest.mark.thorough
    def test_one_whose_connections_are_cut_stops_until_it_has_its_turn_again(
        self, database: str, ledger: Ledger, postgres: Postgres
    ) -> None:
        add(ledger, 1)
        with following(database) as first, following(database) as second:
            within(HEALING_SECONDS_MAX, lambda: first.is_at(3) and second.is_at(3))
            for number in range(2, 7):
                postgres.kill_backends(database)
                add(ledger, number)
                head = 3 * number
                within(HEALING_SECONDS_MAX, lambda: first.is_at(head) and second.is_at(head))  # noqa: B023
                assert sorted([first.state.stands_by, second.state.stands_by]) == [False, True]
        said = [state.failure for state in first.said + second.said if state.failure]
        assert said
        assert all("cannot be used now" in failure for failure in said)
        assert agrees(ledger, 6)


class TestHealing:
    def test_a_restarted_server_costs_a_while_and_nothing_else(
        self, database: str, ledger: Ledger, postgres: Postgres
    ) -> None:
        with following(database) as follower:
            add(ledger, 1)
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
            postgres.stop()
            within(HEALING_SECONDS_MAX, lambda: "cannot be used now" in follower.state.failure)
            assert follower.state.position == 3
            time.sleep(2.5)
            postgres.start()
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
            add(ledger, 2)
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(6))
        assert agrees(ledger, 2)

    @pytest.mark.thorough
    def test_a_server_stopped_and_cut_at_any_moment_under_load(
        self, database: str, ledger: Ledger, postgres: Postgres
    ) -> None:
        numbers, done = count(1), threading.Event()

        def load() -> None:
            while not done.is_set():
                add(ledger, next(numbers))

        loading = threading.Thread(target=load)
        add(ledger, 0)
        with following(database) as follower:
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
            loading.start()
            try:
                for turn in range(6):
                    time.sleep(0.4)
                    if turn % 3 == 2:
                        postgres.stop()
                        time.sleep(0.3)
                        postgres.start()
                    else:
                        postgres.kill_backends(database)
            finally:
                done.set()
                loading.join()
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(ledger.head()))
        assert agrees(ledger, next(numbers))

    @pytest.mark.thorough
    def test_read_models_that_somebody_dropped_are_made_anew(self, database: str, ledger: Ledger) -> None:
        add(ledger, 1)
        with following(database) as follower:
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
            with psycopg.connect(database) as administrator:
                administrator.execute("DROP SCHEMA tringledger_read_1 CASCADE")
            add(ledger, 2)
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(6))
        assert agrees(ledger, 2)


class TestBesideARebuild:
    def test_it_follows_into_the_new_generation_and_removes_the_old_once_nobody_reads_it(
        self, database: str, ledger: Ledger
    ) -> None:
        add(ledger, 1)
        with following(database) as follower:
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
            rebuild(ledger)
            add(ledger, 2)
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(6))
            within(HEALING_SECONDS_MAX, lambda: kept(database) == [2])
        assert generation_of(ledger) == 2
        assert agrees(ledger, 2)

    @pytest.mark.thorough
    def test_a_reader_of_the_old_one_goes_on(self, database: str, ledger: Ledger) -> None:
        add(ledger, 1)
        with following(database) as follower:
            within(HEALING_SECONDS_MAX, lambda: follower.is_at(3))
            with closing(open_current(ledger)) as old:
                rebuild(ledger)
                add(ledger, 2)
                within(HEALING_SECONDS_MAX, lambda: follower.is_at(6))
                with old.snapshot() as connection:
                    assert old.position(connection, ledger.store) == 3
                assert kept(database) == [1, 2]
        with following(database):
            within(HEALING_SECONDS_MAX, lambda: kept(database) == [2])


def kept(database: str) -> list[int]:
    """Return which generations of the read models there are."""
    found = " UNION ALL ".join(f"SELECT number FROM tringledger_read_{slot}.generation" for slot in (1, 2))
    with psycopg.connect(database) as connection:
        return sorted(number for (number,) in connection.execute(found.encode()))
