"""A call that moves across a closed month takes its old amounts from the month that they were of (SPEC 9.9)."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from domain.events.streams import call_id
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models
from projections.schema.tables import BILLING, POSTINGS
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, SentNotice, cdr

OCTOBER, AUGUST = call_id(("x", "1"), 1), call_id(("x", "2"), 1)
CENT = 1_000_000
SEPTEMBER_RATES = '[[rules]]\ntag = "*"\nmarkup_percent = 50\n'


def of(day: str, src: str, cents: str) -> SentNotice:
    at = int(datetime.fromisoformat(f"{day}T12:00:00Z").astimezone(UTC).timestamp()) * SECOND
    return SentNotice(at, cdr(tag="x", src=src, destduration="60", destcharge=cents))


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """A ledger with a call of 10 cents in October and one of 70 in August, which is closed."""
    with opened(store_url) as found:
        record(found, of("2026-10-05", "1", "10"), of("2026-08-05", "2", "70"))
        act(found, lambda session: session.close_month("2026-08"))
        yield found


def act(ledger: Ledger, do: Callable[[OperatorSession], int], shape: int = 2) -> int:
    with ledger.operator_session("kim", "as agreed") as session:
        session._common_fields["v"] = shape
        return do(session)


def merge(ledger: Ledger, shape: int = 2) -> int:
    return act(ledger, lambda session: session.merge_calls(OCTOBER, AUGUST), shape)


def prices(ledger: Ledger) -> dict[str, int]:
    """The cents of each month; and a rebuild says the same."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            found = {row.period: row.price // CENT for row in connection.execute(select(BILLING))}
    assert check_read_models(ledger).differences == []
    return {month: price for month, price in found.items() if price}


def postings(ledger: Ledger) -> list[tuple[str, str, int]]:
    """The months and cents of all postings, in order."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            rows = connection.execute(select(POSTINGS).order_by(POSTINGS.c.position, POSTINGS.c.number))
            return [(row.period, row.original_period, row.price // CENT) for row in rows]


def test_a_merge_takes_the_closed_amount_from_the_first_open_month(ledger: Ledger) -> None:
    merge(ledger)
    assert prices(ledger) == {"2026-08": 70, "2026-09": -70, "2026-10": 10}
    assert postings(ledger) == [("2026-09", "2026-08", -70), ("2026-10", "2026-10", 10)]


def test_the_merge_undone_leaves_each_month_what_it_had(ledger: Ledger) -> None:
    merged = merge(ledger)
    act(ledger, lambda session: session.undo(merged))
    assert prices(ledger) == {"2026-08": 70, "2026-10": 10}


def test_the_merge_undone_after_a_further_closing_is_posted_to_the_month_that_is_open_then(ledger: Ledger) -> None:
    merged = merge(ledger)
    act(ledger, lambda session: session.close_month("2026-09"))
    act(ledger, lambda session: session.undo(merged))
    assert prices(ledger) == {"2026-08": 70, "2026-09": -70, "2026-10": 80}
    assert postings(ledger)[2:] == [("2026-10", "2026-10", -10), ("2026-10", "2026-08", 70)]


def test_both_months_closed_both_differences_go_to_the_first_open_one_with_their_own_months(ledger: Ledger) -> None:
    act(ledger, lambda session: session.close_month("2026-10"))
    merge(ledger)
    assert prices(ledger) == {"2026-08": 70, "2026-10": 10, "2026-11": -70}
    assert sorted(postings(ledger)) == [
        ("2026-11", "2026-08", -70),
        ("2026-11", "2026-10", -10),
        ("2026-11", "2026-10", 10),
    ]


def test_a_rerating_of_the_merged_call_is_of_its_month_by_then(ledger: Ledger) -> None:
    merge(ledger)
    act(ledger, lambda session: session.publish_tariff(SEPTEMBER_RATES))
    rerated = act(ledger, lambda session: session.rerate_call(AUGUST, 1))
    assert prices(ledger) == {"2026-08": 70, "2026-09": -70, "2026-10": 15}
    act(ledger, lambda session: session.undo(rerated))
    assert prices(ledger) == {"2026-08": 70, "2026-09": -70, "2026-10": 10}


class TestGivenTheMergeIsOfAnEarlierVersion:
    """Shape 1 posted both differences to one month, and that stays."""

    def test_it_stays_posted_as_it_was(self, ledger: Ledger) -> None:
        merge(ledger, shape=1)
        assert prices(ledger) == {"2026-08": 70, "2026-10": -60}

    def test_its_reversal_by_an_earlier_version_stays_as_well(self, ledger: Ledger) -> None:
        merged = merge(ledger, shape=1)
        act(ledger, lambda session: session.undo(merged), shape=1)
        assert prices(ledger) == {"2026-08": 70, "2026-09": 60, "2026-10": -50}

    def test_undone_from_now_on_each_month_has_what_it_had(self, ledger: Ledger) -> None:
        merged = merge(ledger, shape=1)
        act(ledger, lambda session: session.undo(merged))
        assert prices(ledger) == {"2026-08": 70, "2026-10": 10}

    def test_other_corrections_change_only_what_they_are_about(self, ledger: Ledger) -> None:
        merge(ledger, shape=1)
        act(ledger, lambda session: session.void_call(AUGUST))
        assert prices(ledger) == {"2026-08": 70, "2026-10": -70}
