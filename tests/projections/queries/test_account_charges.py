"""What accounts are charged for a month (SPEC 9.15): any entries and prices as a slow model has them, drafts, and what a closing posts."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from domain.billing.billing_context import BillingContext, Closing
from domain.billing.rating import PublishedTariff
from domain.billing.tariff import parse_tariff
from domain.events.operator_events import AccountCharge
from domain.months import Month
from domain.notices.line_number import LINE_RULE_2
from projections.queries.account_charges import charged_accounts, closing_charges, draft_charges
from projections.rows.charge_entries import charge_entries
from projections.rows.entry import Entry
from projections.schema.tables import ENTRIES
from tests.support import random_entries as made
from tests.support.random_tariffs import toml

CENT = 1_000_000
MONTHS = ("2026-08", "2026-09", "2026-10", "2026-11", "2026-12")
ACCOUNTS = ("acme", "Zürich Büro")

Prices = dict[str, int]  # Cents by the month from which they hold.
Terms = dict[str, tuple[Prices, Prices]]  # Fees and minimums by account.

prices = st.dictionaries(st.sampled_from(MONTHS), st.sampled_from((0, 1, 5, 700, 99_999_999)), max_size=3)
terms = st.dictionaries(st.sampled_from(ACCOUNTS), st.tuples(prices, prices), min_size=1)


def books(of: Terms, closed: str = "") -> BillingContext:
    """A tariff with these terms at position 1, and the closing of a month at position 2."""
    text = '[[rules]]\ntag = "*"\n[accounts.none]\ntimezone = "UTC"\n'
    for account, both in of.items():
        lines = [
            f"{key} = {toml([{'from': month, 'price': cents} for month, cents in sorted(each.items())])}\n"
            for key, each in zip(("monthly_fee", "monthly_minimum"), both, strict=True)
            if each
        ]
        text += f'[accounts."{account}"]\n{"".join(lines)}' if lines else ""
    tariff = parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2)
    closings = [Closing(2, closed)] if closed else []
    return BillingContext("UTC", LINE_RULE_2, [PublishedTariff(1, tariff)], closings)


@contextmanager
def reading(*entries: Entry) -> Iterator[Connection]:
    """A database that has these entries."""
    with closing(create_engine("sqlite://").connect()) as connection:
        ENTRIES.create(connection)
        if entries:
            rows = [each._replace(position=position)._asdict() for position, each in enumerate(entries, 1)]
            connection.execute(ENTRIES.insert(), rows)
        yield connection


def model(of: Terms, entries: list[Entry], closed: str, period: str) -> dict[tuple[str, str], tuple[int, int]]:
    """The fee and the top-up, in millionths, of each account and month that a closing charges."""
    found = {}
    for account, (fees, minimums) in of.items():
        for month in MONTHS:
            if closed < month <= period:
                fee, minimum = (
                    next((cents * CENT for start, cents in sorted(each.items(), reverse=True) if start <= month), 0)
                    for each in (fees, minimums)
                )
                spent = sum(
                    each.price
                    for each in entries
                    if (each.account, each.period, each.original_period) == (account, month, month)
                    and each.kind in ("cdr", "difference")
                )
                found[account, month] = fee, max(0, minimum - fee - spent) if minimum else 0
    return {key: both for key, both in found.items() if any(both)}


@given(
    terms,
    st.lists(made.entries(account="acme", period="2026-10") | made.entries(account="acme"), max_size=8),
    st.sampled_from(("", *MONTHS[:3])),
    st.sampled_from(MONTHS[2:4]),
)
def test_any_entries_and_prices_make_the_charges_of_the_model(
    of: Terms, entries: list[Entry], closed: str, period: str
) -> None:
    known = books(of, closed)
    expected = model(of, entries, closed, period)
    with reading(*entries) as connection:
        found = closing_charges(connection, known, period)
        assert {(each.account, each.month): (each.fee, each.top_up) for each in found} == expected
        for account in of:
            drafts = draft_charges(connection, known, account, period)
            fee, top_up = expected.get((account, period), (0, 0))
            assert [(each.kind, each.price) for each in drafts] == [
                (kind, amount) for kind, amount in (("fee", fee), ("minimum", top_up)) if amount
            ]


def test_the_example_of_the_specification() -> None:
    call = Entry(
        1, 0, "cdr", "acme", "2026-10", "2026-10", "2026-10-03", "c", "acme", "1", "ANSWERED",
        1, 1, 60, 60, 0, 0, 60, 1_234_500_000, 1_234_500_000, 0, "", "1", 1, "", "",
    )  # fmt: skip
    late = call._replace(kind="difference", original_period="2026-09", price=-900 * CENT)
    adjusted = call._replace(kind="adjustment", price=-100 * CENT)
    known = books({"acme": ({"2026-10": 500}, {"2026-10": 2000})})
    with reading(call, late, adjusted) as connection:
        (charge,) = closing_charges(connection, known, "2026-10")
    assert charge == AccountCharge(
        account="acme", month="2026-10", tariff=1, fee=500 * CENT, fee_text="monthly fee", calls=1_234_500_000,
        minimum=2000 * CENT, top_up=265_500_000,
    )  # fmt: skip
    fee, top_up = charge_entries(9, [charge], "kim")
    assert fee._replace(kind="minimum", number=2, price=265_500_000, margin=265_500_000, reason=top_up.reason) == top_up
    assert (fee.position, fee.number, fee.day, fee.price, fee.margin, fee.cost) == (
        9, 1, "2026-10-31", 500 * CENT, 500 * CENT, 0,
    )  # fmt: skip
    assert (fee.tariff, fee.rule, fee.posted_by, fee.reason) == ("1", 0, "kim", "monthly fee")
    assert top_up.reason == "minimum 2000, less fee 500, less calls 1234.5"


def test_an_account_is_charged_from_its_first_month_until_a_price_of_0_and_while_the_month_is_open() -> None:
    known = books({"acme": ({"2026-10": 500, "2026-12": 0}, {})}, closed="2026-10")
    assert [charged_accounts(known, month) for month in ("2026-09", "2026-10", "2026-11", "2026-12")] == [
        [], [], ["acme"], [],
    ]  # fmt: skip
    assert charged_accounts(BillingContext("UTC", LINE_RULE_2), "2026-10") == []


def test_a_month_long_after_the_first_price_is_charged_month_by_month() -> None:
    with reading() as connection:
        found = closing_charges(connection, books({"acme": ({"1970-01": 1}, {})}), "2026-10")
    assert [each.month for each in found][:2] == ["1970-01", "1970-02"]
    assert len(found) == 56 * 12 + 10
    assert found[-1].month == Month("2026-10")
