"""A month beside another: what billing has in both, by account and by tag with one total, and exact per cent."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, func, select

from domain.events.streams import call_id
from projections.building.catch_up import catch_up
from projections.queries import billing_overview as overview
from projections.queries.billing_overview import NOTHING, BillingTotals
from projections.queries.month_comparison import (
    ACCOUNT,
    TAG,
    ComparedMonths,
    compare_months,
    months_to_compare,
    percent_of,
    total_of,
)
from projections.queries.time_points import SelectionError
from projections.schema.tables import ENTRIES, TOTALS
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import GRACE, MAX_AGE, priced_cdr

BEFORE, AFTER = "2026-10", "2026-11"
NOVEMBER = 35 * MAX_AGE


@pytest.fixture
def connection(store_url: str) -> Iterator[Connection]:
    """Read a ledger of two months and three tags, in which a call of the first was voided after it was closed."""
    with opened(store_url) as ledger:
        record(
            ledger,
            *(
                priced_cdr(number * GRACE, tag=tag, src=str(number))
                for number, tag in enumerate(("sales", "sales", "gone"))
            ),
            *(
                priced_cdr(NOVEMBER + number * GRACE, tag=tag, src=str(number))
                for number, tag in enumerate(("sales", "new"))
            ),
        )
        with ledger.operator_session("kim", "as agreed") as session:
            session.close_month(BEFORE)
            session.void_call(call_id(("sales", "0"), 1))
            session.adjust_account("sales", 5_000_001, AFTER)
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
            with store.snapshot() as reading:
                yield reading


def test_accounts_and_tags_are_billings_and_entries_own(connection: Connection) -> None:
    accounts = compare_months(connection, BEFORE, AFTER, ACCOUNT)
    months = [
        overview.totals_by_account(connection, f"{month}-01", last)
        for month, last in ((BEFORE, "2026-10-31"), (AFTER, "2026-11-30"))
    ]
    assert [each.name for each in accounts] == sorted(months[0].keys() | months[1].keys())
    assert [(each.before, each.after) for each in accounts] == [
        tuple(month.get(each.name, NOTHING) for month in months) for each in accounts
    ]
    tags = compare_months(connection, BEFORE, AFTER, TAG)
    sums = [func.sum(ENTRIES.c[name]) for name in TOTALS]
    for month, place in ((BEFORE, 1), (AFTER, 2)):
        rows = connection.execute(select(ENTRIES.c.tag, *sums).where(ENTRIES.c.period == month).group_by(ENTRIES.c.tag))
        expected = {row[0]: BillingTotals(*map(int, row[1:])) for row in rows}
        assert {each.name: each[place] for each in tags if each[place] != NOTHING or each.name in expected} == expected
    assert [each.name for each in tags if each.is_new or each.is_gone] == ["", "gone", "new"]
    sales = next(each for each in tags if each.name == "sales")
    assert (sales.before.price, sales.after.price) == (7_000_000, 0)
    assert (sales.change("calls"), sales.change("price"), sales.percent("price")) == (-1, -7_000_000, "-100.0")
    assert total_of(tags) == total_of(accounts) != ComparedMonths("", NOTHING, NOTHING)


def test_of_one_account_only_its_own_is_compared(connection: Connection) -> None:
    name = compare_months(connection, BEFORE, AFTER, ACCOUNT)[-1].name
    assert [each.name for each in compare_months(connection, BEFORE, AFTER, ACCOUNT, name)] == [name]
    of_it = compare_months(connection, BEFORE, AFTER, TAG, name)
    assert total_of(of_it)[1:] == total_of(compare_months(connection, BEFORE, AFTER, ACCOUNT, name))[1:]


@pytest.mark.parametrize(
    ("more", "before", "shown"),
    [
        (5, 10, "50.0"),
        (-5, 15, "-33.3"),
        (0, 10, "0.0"),
        (-5, -5, "-100.0"),
        (1, 0, None),
        (1, 2000, "0.1"),
        (-1, 2001, "0.0"),
        (2, 3, "66.7"),
    ],
)
def test_per_cent_are_rounded_half_away_from_zero(more: int, before: int, shown: str | None) -> None:
    assert percent_of(more, before) == shown


def test_a_month_is_compared_with_the_one_before_unless_another_is_named() -> None:
    assert months_to_compare("2026-01") == ("2026-01", "2025-12")
    assert months_to_compare("2026-01", "2026-10", "2025-10") == ("2026-10", "2025-10")
    with pytest.raises(SelectionError, match="not a month"):
        months_to_compare("2026-01", "October")
    with pytest.raises(SelectionError, match="1969-12-01 is out of range"):
        months_to_compare("1970-01")
