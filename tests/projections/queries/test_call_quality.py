"""ASR and ACD over time: the metrics of the same calls, cut by hour, day and month, whatever operators did."""

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from domain import times
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.call_quality import QualityStep, quality_steps, together
from projections.queries.conditions import build_selection
from projections.queries.latest_time import latest_counted
from projections.queries.metrics import account_metrics
from projections.queries.selection import Selection
from projections.queries.time_steps import DAY, HOUR, MONTH, TimeSpan, TimeStep, time_steps
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.ledgers import opened, record
from tests.support.notices import MAX_AGE as DAY_LENGTH
from tests.support.notices import callstatus, cdr
from tests.support.operator_histories import World, ledger_in, run, steps_of

OCTOBER = TimeSpan(times.parse("2026-10-01T00:00:00Z"), times.parse("2026-11-01T00:00:00Z"))
EVER = TimeSpan(times.parse("2025-01-01T00:00:00Z"), times.parse("2034-01-01T00:00:00Z"))


def counted(connection: Connection, by: str, span: TimeSpan, selection: Selection = Selection()) -> list[QualityStep]:  # noqa: B008 - it does not change
    return quality_steps(connection, selection, time_steps(by, span, "UTC"), by, "UTC")


def sums(connection: Connection, period: str | None = None) -> tuple[int, int, int]:
    found = account_metrics(connection, period=period)
    return (
        sum(each.attempts for each in found),
        sum(each.answered for each in found),
        sum(each.dest_seconds for each in found),
    )


def test_hours_days_and_the_month_have_the_metrics_of_the_month(sampled: Connection) -> None:
    expected = sums(sampled, period="2026-10")
    for by in (HOUR, DAY, MONTH):
        steps = counted(sampled, by, OCTOBER)
        assert together(steps)[1:] == expected
        assert steps[0].attempts < expected[0] or by == MONTH
    account = account_metrics(sampled, period="2026-10")[0]
    [month] = counted(sampled, MONTH, OCTOBER, Selection(account=account.account))
    assert (month.attempts, month.answered, month.dest_seconds, month.asr, month.acd) == (
        account.attempts,
        account.answered,
        account.dest_seconds,
        account.asr,
        account.acd,
    )


def test_a_call_counts_when_its_cdr_came_and_without_one_when_it_began(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(
            ledger,
            *(
                callstatus("SRCANSWERED"),
                callstatus("COMPLETED", 1),
                cdr(2, "COMPLETED", srcduration="70", destduration="61"),
            ),
            *(callstatus("SRCANSWERED", DAY_LENGTH), callstatus("DESTBUSY", DAY_LENGTH + 1)),
        )
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
            with store.snapshot() as connection:
                latest = latest_counted(connection, Selection(), "UTC")
                steps = [each for each in counted(connection, HOUR, OCTOBER) if each.attempts]
    assert [each[1:] for each in steps] == [(1, 1, 61), (1, 0, 0)]
    assert [(each.asr, each.asr_percent, each.acd) for each in steps] == [("1", "100", "61"), ("0", "0", None)]
    assert latest is not None
    assert steps[1].step.first <= latest < steps[1].step.after


@pytest.mark.only_on("sqlite")
def test_a_call_without_a_cdr_counts_by_the_beginning_of_a_tag_that_no_cdr_has(store_url: str) -> None:
    with opened(store_url) as ledger, closing(open_current(ledger)) as store:
        record(ledger, cdr(1, "COMPLETED", tag="dept-1"), callstatus("SRCANSWERED", 2, tag="dept-2"))
        catch_up(ledger, store)
        with store.snapshot() as connection:
            for by in (DAY, MONTH):
                chosen = build_selection("calls", timezone="UTC", tag="dept-*")
                assert together(counted(connection, by, OCTOBER, chosen))[1:] == (2, 1, 0)


@pytest.mark.thorough
@examples(20)
@given(st.integers(0, 1 << 30).map(steps_of))
def test_whatever_operators_corrected_each_call_counts_once(steps: list[Any]) -> None:
    world = World()
    with ledger_in(world) as ledger:
        run(ledger, world, steps)
        _agrees(ledger)


def _agrees(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            expected = sums(connection)
            assert together(counted(connection, MONTH, EVER))[1:] == expected
            # Whole months come from the rollup, a span that cuts one from the index.
            assert together(counted(connection, MONTH, EVER._replace(since=EVER.since + times.SECOND)))[1:] == expected


@pytest.mark.parametrize("step", [QualityStep(TimeStep("", 0, 1), 0, 0, 0)])
def test_without_calls_there_is_no_ratio(step: QualityStep) -> None:
    assert (step.asr, step.asr_percent, step.acd) == (None, None, None)
