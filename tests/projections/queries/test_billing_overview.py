"""Billing at a glance and money at stake: what plain sums over the exports' rows give, on every store."""

import pytest
from sqlalchemy import Connection, select

from projections.queries import accounts
from projections.queries import billing_overview as overview
from projections.queries import exception_totals as at_stake
from projections.queries.billing_overview import DAY, MONTH, NOTHING, BillingTotals
from projections.schema.tables import BILLING_DAYS, EXCEPTIONS, TOTALS


@pytest.fixture
def connection(sampled: Connection) -> Connection:
    """Read a sample's read models, on each store."""
    return sampled


def days(connection: Connection, first: str, last: str) -> list[tuple[str, str, BillingTotals]]:
    """Return the rows of the table of days, one by one."""
    columns = [BILLING_DAYS.c[name] for name in TOTALS]
    rows = connection.execute(select(BILLING_DAYS.c.account, BILLING_DAYS.c.day, *columns)).all()
    return [(row[0], row[1], BillingTotals(*row[2:])) for row in rows if first <= row[1] <= last]


def summed(rows: list[tuple[str, BillingTotals]]) -> dict[str, BillingTotals]:
    found: dict[str, BillingTotals] = {}
    for name, totals in rows:
        found[name] = found.get(name, NOTHING).plus(totals)
    return found


@pytest.mark.parametrize(
    ("first", "last"), [("2026-10-01", "2026-10-31"), ("2026-10-05", "2026-10-20"), ("2026-10-01", "2026-11-30")]
)
def test_accounts_days_and_months_add_up_to_the_days_rows(connection: Connection, first: str, last: str) -> None:
    rows = days(connection, first, last)
    assert rows
    by_account = summed([(account, totals) for account, _, totals in rows])
    assert overview.totals_by_account(connection, first, last) == by_account
    assert overview.totals_by_period(connection, DAY, first, last) == summed([(day, totals) for _, day, totals in rows])
    account = max(by_account)
    assert overview.totals_by_account(connection, first, last, account) == {account: by_account[account]}
    of_one = {(name, day): totals for name, day, totals in rows if name == account}
    assert overview.totals_of_accounts(connection, DAY, first, last, [account]) == of_one


def test_months_are_those_of_their_days(connection: Connection) -> None:
    rows = days(connection, "2026-10-01", "2026-11-30")
    assert overview.totals_by_period(connection, MONTH, "2026-10-01", "2026-11-30") == summed(
        [(day[:7], totals) for _, day, totals in rows]
    )


def test_what_is_not_billed_is_not_known(connection: Connection) -> None:
    account = days(connection, "2026-10-01", "2026-10-31")[0][0]
    assert accounts.has_account(connection, account)
    assert not accounts.has_account(connection, "nobody")
    assert overview.latest_month(connection, "nobody") is None
    assert overview.totals_of_accounts(connection, MONTH, "2026-10-01", "2026-10-31", []) == {}


def test_the_money_at_stake_is_that_of_the_open_exceptions(connection: Connection) -> None:
    rows = connection.execute(select(EXCEPTIONS)).all()
    found = at_stake.totals_by_flag(connection, [])
    assert [each.flag for each in found] == sorted({row.flag for row in rows})
    for kind in found:
        of_kind = [row for row in rows if row.flag == kind.flag]
        assert (kind.rows, kind.open) == (len(of_kind), len(of_kind))
        assert kind.cost == sum(row.cost or 0 for row in of_kind)
        assert kind.sip_credits == sum(row.sip_credits or 0 for row in of_kind)
    assert any(kind.cost for kind in found)
