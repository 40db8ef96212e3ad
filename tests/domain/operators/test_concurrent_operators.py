"""Several operators at once, and ones that are killed: versions are numbered once, a month closes once, no act is half done."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import OPERATOR_EVENTS, TariffPublished
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models
from projections.stores.generations import open_current
from tests.domain.log.test_log import ROOT
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, TAG, callstatus, cdr
from tests.support.operator_process import CALL, MONTHS, PUBLISHED_EACH, TARIFF, act, three

OPERATORS = 3
ACTS_AT_ONCE = 3
SECONDS_MAX = 60


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """Return a ledger with a call, whose read models know it."""
    with opened(store_url) as found:
        record(found, callstatus("SRCANSWERED"), callstatus("COMPLETED", 1), cdr(2, srccharge="1.5", destduration="60"))
        follow(found)
        yield found


def follow(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def acts(ledger: Ledger) -> list[LogRow]:
    return [row for row in ledger.store.page(0, 100_000, ledger.head()) if row.topic in OPERATOR_EVENTS]


@contextmanager
def operator(mode: str, ledger: Ledger, name: str) -> Iterator[subprocess.Popen[str]]:
    """Start an operator, and wait until he could begin."""
    command = [sys.executable, "-m", "tests.support.operator_process", mode, ledger.url, name]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as started:
        try:
            assert started.stdout
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


def begin(each: subprocess.Popen[str]) -> None:
    assert each.stdin
    each.stdin.write("begin\n")
    each.stdin.flush()


def said(each: subprocess.Popen[str]) -> str:
    assert each.stdout
    return each.stdout.readline().strip()


def test_each_version_has_one_number_each_month_is_closed_once_and_a_call_is_void_once(ledger: Ledger) -> None:
    with ExitStack() as stack:
        started = [
            stack.enter_context(operator("together", ledger, f"operator-{number}")) for number in range(OPERATORS)
        ]
        for each in started:
            begin(each)
        did = [json.loads(each.communicate(timeout=SECONDS_MAX)[0]) for each in started]
    versions = [
        decode_operator_event(row.topic, row.state) for row in acts(ledger) if row.topic == TariffPublished.TOPIC
    ]
    assert [act.version for act in versions if isinstance(act, TariffPublished)] == [
        *range(1, OPERATORS * PUBLISHED_EACH + 1)
    ]
    closed = [closing.period for closing in ledger.billing_context().closings]
    assert closed == sorted(set(closed))
    assert closed[-1] == MONTHS[-1]
    for what, times in (("voided", 1), ("split", 1)):
        assert sum(bool(position) for each in did for position in each[what]) == times
    told = sorted(position for each in did for positions in each.values() for position in positions if position)
    assert len(told) == len(set(told)) == len(acts(ledger)) - 1  # A split is two acts, and the last is told.
    follow(ledger)
    assert check_read_models(ledger).differences == []


def test_who_is_killed_within_a_transaction_has_done_nothing_and_keeps_nobody_waiting(ledger: Ledger) -> None:
    head = ledger.head()
    with operator("halting", ledger, "ann") as halted:
        begin(halted)
        assert said(halted) == "acted"
        assert ledger.head() == head
        halted.send_signal(signal.SIGKILL)
        halted.wait(SECONDS_MAX)
    assert (acts(ledger), ledger.billing_context().tariffs, ledger.billing_context().closings) == ([], [], [])
    assert act(ledger, "bob", three) == head + ACTS_AT_ONCE
    assert ledger.billing_context().tariffs[0].tariff.version == 1


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_who_is_killed_at_any_moment_has_done_all_or_nothing_of_each_transaction(
    ledger: Ledger, seconds: float
) -> None:
    head = ledger.head()
    with operator("endless", ledger, "ann") as session:
        begin(session)
        promised = [int(said(session))]
        time.sleep(seconds)
        session.send_signal(signal.SIGKILL)
        assert session.stdout
        promised += [int(line) for line in session.stdout.read().split()]
        session.wait(SECONDS_MAX)
    assert ledger.head() >= promised[-1] >= head + ACTS_AT_ONCE
    assert (ledger.head() - head) % ACTS_AT_ONCE == 0
    assert len(acts(ledger)) == ledger.head() - head
    assert act(ledger, "bob", three) == ledger.head()
    follow(ledger)
    assert check_read_models(ledger).differences == []


def test_what_one_transaction_has_done_it_knows(ledger: Ledger) -> None:
    with ledger.operator_session("ann", "as agreed") as session:
        session.rerate_call(CALL, session.publish_tariff(TARIFF) and 1)
        session.close_month("2026-09")
        with pytest.raises(CommandRejected, match="2026-09 is closed already"):
            session.close_month("2026-09")
        session.void_call(CALL)
        with pytest.raises(CommandRejected, match="is void already"):
            session.void_call(CALL)
        session.split_call(CALL, [1])
        with pytest.raises(CommandRejected, match="position 1 is not a notice of call"):
            session.split_call(CALL, [1])
        session.merge_calls(call_id((TAG, SRC), 2), CALL)
    follow(ledger)
    assert check_read_models(ledger).differences == []
