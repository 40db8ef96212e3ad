"""Bulk jobs: each item once, whatever ends the process that does them, and nothing after a stop."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from api.application.bulk_jobs import bulk_runner, exception_work
from api.application.bulk_jobs.bulk_job import (
    DONE,
    FACT,
    FAILED,
    KEPT,
    REOPEN_EXCEPTIONS,
    REPROCESS_QUARANTINE,
    RERATE_ACCOUNT,
    RESOLVE_EXCEPTIONS,
    RESOLVE_QUARANTINE,
    RUNNING,
    STOPPED,
    BulkJob,
    BulkJobRefused,
    BulkStep,
)
from api.application.bulk_jobs.bulk_runner import BulkRunner
from api.application.bulk_jobs.bulk_work import ITEMS_AT_ONCE
from api.application.bulk_jobs.orders import BulkRequest
from api.application.read_model_pool import ReadModelPool
from domain.copying.copy_marks import ledger_facts
from domain.errors import CommandRejected, WrongUsage
from domain.ledger import Ledger
from domain.log.contract import LedgerFacts
from domain.notices.signature import Keyring
from projections.building.catch_up import catch_up
from projections.queries.filter_texts import WrongFilters
from projections.stores.generations import open_current
from tests.support.ledgers import opened
from tests.support.notices import FORMULA, KEY, OTHER_KEY, SECOND, START, callstatus, priced_cdr, signed

NOTICES = 2 * ITEMS_AT_ONCE + 7
BROKEN = 3
TARIFF = 'effective_from = 2020-01-01\n[[rules]]\ntag = "*"\nmarkup_percent = 20\n'


def follow(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """Open a ledger with notices that waited for another key, the first few of them broken; that key is known now."""
    with opened(store_url) as found:
        for number in range(NOTICES):
            src, charge = f"1858555{number:04d}", "much" if number < BROKEN else "1.5"
            sent = signed(priced_cdr(r=number, tag="late", src=src, srccharge=charge), OTHER_KEY).encode()
            found.record([found.verify_delivery(sent, START + number * SECOND)])
        found.change_keyring(Keyring(FORMULA, [KEY, OTHER_KEY]))
        yield found


@pytest.fixture
def runner(ledger: Ledger) -> Iterator[BulkRunner]:
    with closing(ReadModelPool(ledger)) as shelf:
        yield BulkRunner(ledger, shelf.session)


def reprocessing(**wanted: str) -> BulkRequest:
    return BulkRequest(REPROCESS_QUARANTINE, wanted, "ann", "")


def finished(runner: BulkRunner, job: BulkJob) -> BulkJob:
    runner.run_waiting()
    found = runner.find(job.id)
    assert found
    return found


class Killed(BaseException):
    """What nothing handles: the process is gone."""


class DyingRunner(BulkRunner):
    """A run that ends in the middle of a step, just before or just after it is committed."""

    steps = 0
    dies_in = 2

    def _note(self, facts: LedgerFacts, job: BulkJob, step: BulkStep) -> None:
        super()._note(facts, job, step)
        self.steps += 1
        if self.steps == self.dies_in:
            raise Killed


class StoppedBetween:
    """Stands for the event that ends a runner: does something between the first two steps."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act: Callable[[], object] | None = act

    def is_set(self) -> bool:
        return False

    def wait(self, _seconds: float) -> None:
        act, self.act = self.act, None
        if act:
            act()


def test_each_notice_that_fits_is_tried_again_once_and_the_refused_are_counted_by_cause(
    ledger: Ledger, runner: BulkRunner
) -> None:
    job = runner.start(reprocessing(tag="l*"))
    assert (job.state, job.total, job.done) == (RUNNING, NOTICES, 0)
    done = finished(runner, job)
    assert (done.state, done.outcomes, done.left) == (DONE, {"recorded": NOTICES - BROKEN}, 0)
    assert done.refused == {"broken srccharge": BROKEN}
    assert ledger.head() == NOTICES - BROKEN
    assert done.ended_at
    again = finished(runner, runner.start(reprocessing()))
    assert (again.total, again.refused, ledger.head()) == (BROKEN, {"broken srccharge": BROKEN}, NOTICES - BROKEN)


@pytest.mark.only_on("sqlite")
def test_a_new_start_goes_on_where_a_killed_one_was_and_does_nothing_twice(ledger: Ledger, runner: BulkRunner) -> None:
    job = runner.start(reprocessing())
    dying = DyingRunner(ledger, runner._open_session)
    with pytest.raises(Killed):
        dying.run_waiting()
    left = runner.find(job.id)
    assert left
    assert (left.state, left.done, ledger.head()) == (RUNNING, ITEMS_AT_ONCE, ITEMS_AT_ONCE - BROKEN)
    done = finished(runner, job)
    assert (done.state, done.done, ledger.head()) == (DONE, NOTICES, NOTICES - BROKEN)


@pytest.mark.only_on("sqlite")
def test_after_a_stop_nothing_is_done_and_what_is_left_is_said(ledger: Ledger, runner: BulkRunner) -> None:
    job = runner.start(BulkRequest(RESOLVE_QUARANTINE, {}, "ann", "forged"))
    runner._stopping = StoppedBetween(lambda: runner.stop(job.id, "bob"))  # type: ignore[assignment]
    stopped = finished(runner, job)
    assert (stopped.state, stopped.stopped_by, stopped.done) == (STOPPED, "bob", ITEMS_AT_ONCE)
    assert (stopped.left, ledger.head()) == (NOTICES - ITEMS_AT_ONCE, ITEMS_AT_ONCE)
    with pytest.raises(BulkJobRefused, match="has ended: stopped"):
        runner.stop(job.id, "bob")
    with pytest.raises(BulkJobRefused, match="is unknown"):
        runner.stop("none", "bob")


@pytest.mark.only_on("sqlite")
def test_what_others_settle_meanwhile_is_refused_and_what_comes_later_is_not_meant(
    ledger: Ledger, runner: BulkRunner
) -> None:
    job = runner.start(BulkRequest(RESOLVE_QUARANTINE, {}, "ann", "forged"))

    def meanwhile() -> None:
        with ledger.operator_session("bob", "mine") as session:
            session.resolve_quarantined(NOTICES)
        ledger.record([ledger.verify_delivery(b"f=tm&r=late&tag=late&sig=00", START)])

    runner._stopping = StoppedBetween(meanwhile)  # type: ignore[assignment]
    done = finished(runner, job)
    assert (done.state, done.outcomes) == (DONE, {"resolved": NOTICES - 1})
    assert [entry.id for entry in ledger.store.quarantined(settled=False)] == [NOTICES + 1]


@pytest.mark.only_on("sqlite")
def test_one_job_runs_at_a_time_and_the_last_are_kept(
    ledger: Ledger, runner: BulkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = runner.start(reprocessing())
    with pytest.raises(BulkJobRefused, match="reprocess-quarantine is running, started by ann"):
        runner.start(reprocessing())
    with closing(ledger.store.lock(bulk_runner.PURPOSE)) as other:
        assert other.acquire()
        assert finished(runner, first).done == 0, "another process has it"
    with monkeypatch.context() as broken:
        broken.setattr("domain.recording.Recording.reprocess", lambda *_: 1 / 0)
        failed = finished(runner, first)
    assert (failed.state, failed.done, ledger.head()) == (FAILED, 0, 0)
    assert "ZeroDivisionError" in failed.failure
    for _ in range(KEPT):
        runner.stop(runner.start(reprocessing()).id, "ann")
    assert (len(runner.known()), runner.find(first.id)) == (KEPT, None)
    assert FACT not in ledger_facts(ledger.store.facts()), "a copy must not go on with it"


@pytest.mark.only_on("sqlite")
def test_what_cannot_be_understood_or_finds_nothing_starts_nothing(runner: BulkRunner) -> None:
    for request, error, said in (
        (reprocessing(tag="none"), BulkJobRefused, "finds nothing with tag=none"),
        (reprocessing(flag="repeated-cdr"), WrongUsage, "has no filter 'flag'"),
        (BulkRequest("dance", {}, "ann", "why"), WrongUsage, "unknown kind of bulk job 'dance'"),
        (BulkRequest(RESOLVE_QUARANTINE, {}, "ann", " "), CommandRejected, "say who or why"),
        (BulkRequest(RESOLVE_EXCEPTIONS, {"flag": "red"}, "ann", "why"), WrongFilters, "unknown flag"),
        (BulkRequest(RESOLVE_EXCEPTIONS, {"number": "*1234"}, "ann", "why", sees_pii=False), WrongFilters, "role pii"),
        (BulkRequest(RERATE_ACCOUNT, {"period": "2026-10", "tariff": "x"}, "ann", "why"), WrongUsage, "not a version"),
        (BulkRequest(RERATE_ACCOUNT, {"period": "soon", "tariff": "1"}, "ann", "why"), WrongUsage, "month"),
    ):
        with pytest.raises(error, match=said):
            runner.start(request)
    assert runner.known() == []


@pytest.mark.only_on("sqlite")
def test_exceptions_that_fit_are_resolved_and_opened_again_each_once(ledger: Ledger, runner: BulkRunner) -> None:
    sent = [callstatus("CAPITALS", tag=f"shop-{number}", r=number) for number in range(ITEMS_AT_ONCE + 3)]
    sent += [callstatus(r="u", type="unknown", tag="shop-u")]
    ledger.record([ledger.verify_delivery(signed(pairs).encode(), START) for pairs in sent])
    follow(ledger)
    job = runner.start(BulkRequest(RESOLVE_EXCEPTIONS, {"tag": "shop-*"}, "ann", "known"))
    # One of a call, and one of none, are resolved by somebody else before; the read models have seen neither.
    with ledger.operator_session("bob", "mine") as session:
        session.resolve_exception("unrecognised-status", 1)
    done = finished(runner, job)
    assert (done.state, done.refused) == (DONE, {"done meanwhile": 1})
    assert done.outcomes == {"resolved": job.total - 1}
    follow(ledger)
    with pytest.raises(BulkJobRefused, match="finds nothing"):
        runner.start(BulkRequest(RESOLVE_EXCEPTIONS, {"tag": "shop-*"}, "ann", "known"))
    opened_again = finished(runner, runner.start(BulkRequest(REOPEN_EXCEPTIONS, {}, "ann", "not so")))
    assert opened_again.outcomes == {"open again": job.total}


@pytest.mark.only_on("sqlite")
def test_a_step_of_exceptions_that_take_long_ends_early_so_that_callbacks_do_not_wait(
    ledger: Ledger, runner: BulkRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exception_work, "STEP_SECONDS_MAX", 0.0)
    ledger.record([ledger.verify_delivery(signed(callstatus("CAPITALS", r=each)).encode(), START) for each in range(3)])
    follow(ledger)
    job = runner.start(BulkRequest(RESOLVE_EXCEPTIONS, {"flag": "unrecognised-status"}, "ann", "known"))
    with closing(ReadModelPool(ledger)) as shelf, pytest.raises(Killed):
        DyingRunner(ledger, shelf.session).run_waiting()
    left = runner.find(job.id)
    assert left
    assert (left.done, job.total) == (1, 3)
    assert finished(runner, job).outcomes == {"resolved": 3}


@pytest.mark.only_on("sqlite")
def test_an_account_is_rerated_as_by_the_command_and_a_new_start_changes_nothing(
    ledger: Ledger, runner: BulkRunner
) -> None:
    finished(runner, runner.start(reprocessing()))
    with ledger.operator_session("ann", "agreed") as session:
        session.publish_tariff(TARIFF)
    follow(ledger)
    request = BulkRequest(RERATE_ACCOUNT, {"account": "late", "period": "2026-10", "tariff": "1"}, "ann", "agreed")
    done = finished(runner, runner.start(request))
    assert (done.state, done.outcomes) == (DONE, {"rerated": NOTICES - BROKEN})
    head = ledger.head()
    follow(ledger)
    again = finished(runner, runner.start(request))
    assert (again.outcomes, ledger.head()) == ({"unchanged": NOTICES - BROKEN}, head)
