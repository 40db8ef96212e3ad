"""Whatever TringMe sends and operators do: statements say what the billing table says, and the journal what both say."""

from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from io import BytesIO
from typing import Any

from beancount import loader
from beancount.core import data
from hypothesis import given
from sqlalchemy import Connection

from api.application import rerating
from domain.billing.billing_context import BillingContext
from domain.ledger import Ledger
from domain.notices.line_number import LINE_RULE_2
from projections.building.catch_up import catch_up
from projections.journal import export as journal_export
from projections.journal.account_names import account_component
from projections.queries.rerating_preview import PostedPrice, ReratingPreview, calls_of_account
from projections.queries.selection import Selection
from projections.queries.statement import Statement, StatementSums, load_statement
from projections.rows.entry import Entry
from projections.schema.tables import BILLING, CLOSINGS, ENTRIES
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.ledger_histories import Did, Step, live, lives
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, START, cdr
from tests.support.operator_histories import World, ledger_in

NO_DRAFTS = BillingContext("UTC", LINE_RULE_2)  # Without a tariff, whose fees would be drafts that no table has.


def test_an_entry_has_the_columns_of_the_view() -> None:
    assert list(Entry._fields) == ENTRIES.columns.keys()


def statements(connection: Connection) -> list[tuple[Any, Statement]]:
    """Return the rows of the billing table, each with its statement."""
    return [
        (row, load_statement(connection, row.account, row.period, 99, NO_DRAFTS))
        for row in connection.execute(BILLING.select())
    ]


def closed_only(found: list[tuple[Any, Statement]]) -> dict[tuple[str, str], Statement]:
    return {each.heading[:2]: each for _, each in found if each.heading.closed}


@examples(40)
@given(life=lives())
def test_statements_say_what_the_billing_table_says_and_closed_ones_stay_as_they_are(life: list[Step]) -> None:
    with ledger_in(World()) as ledger, closing(open_current(ledger)) as store:
        known: dict[tuple[str, str], Statement] = {}
        for step in life:
            live(ledger, step)
            if not isinstance(step, Did) or step.act != "close":
                continue
            catch_up(ledger, store)
            with store.snapshot() as connection:
                known |= closed_only(statements(connection))
        catch_up(ledger, store)
        with store.snapshot() as connection:
            found = statements(connection)
            closed = {row.period for row in connection.execute(CLOSINGS.select())}
        for row, each in found:
            assert each.total == StatementSums(*(getattr(row, name) for name in StatementSums._fields))
            lines = [list(line.sums) for line in each.lines]
            assert [sum(column) for column in zip(*lines, strict=True)] == list(each.total)
            assert bool(each.heading.closed) == any(row.period <= period for period in closed)
        assert {key: each for key, each in closed_only(found).items() if key in known} == known


@examples(25)
@given(life=lives())
def test_the_journal_balances_and_owes_what_the_statements_ask_for(life: list[Step]) -> None:
    with ledger_in(World()) as ledger, closing(open_current(ledger)) as store:
        for step in life:
            live(ledger, step)
        catch_up(ledger, store)
        out = BytesIO()
        count = journal_export.write_journal(ledger, store, Selection(), "beancount", out, lambda _: None)
        booked, errors, _ = loader.load_string(out.getvalue().decode())
        assert errors == []
        owed: defaultdict[str, Decimal] = defaultdict(Decimal)
        found = [each for each in booked if isinstance(each, data.Transaction)]
        for transaction in found:
            for posting in transaction.postings:
                assert posting.units is not None
                owed[posting.account] += posting.units.number or 0
        assert len([each for each in found if "rounding" not in each.meta]) == count
        with store.snapshot() as connection:
            asked: defaultdict[str, int] = defaultdict(int)
            for _, each in statements(connection):
                asked[each.heading.account] += each.due if each.heading.closed else each.total.price
            costs = sum(row.cost for row in connection.execute(BILLING.select()))
        for account, due in asked.items():
            assert owed[f"Assets:Receivable:{account_component(account)}"] == Decimal(due).scaleb(-8)
        dollars = [posting for each in found for posting in each.postings if posting.account == "Liabilities:TringMe"]
        payable = sum(
            (
                posting.units.number or Decimal()
                for posting in dollars
                if posting.units and posting.units.currency == "USD"
            ),
            Decimal(),
        )
        assert payable == Decimal(-costs).scaleb(-8)


def test_a_journal_of_one_month_and_account_has_its_entries_only(store_url: str) -> None:
    with opened(store_url) as ledger, closing(open_current(ledger)) as store:
        adjust(ledger, ("acme", "2026-10"), ("acme", "2026-11"), ("other", "2026-10"))
        catch_up(ledger, store)
        out = BytesIO()
        wanted = Selection(account="acme", period="2026-10")
        assert journal_export.write_journal(ledger, store, wanted, "hledger", out, lambda _: None) == 1
        assert b"other" not in out.getvalue()
        assert (
            journal_export.write_journal(
                ledger, store, Selection(account="nobody"), "beancount", BytesIO(), lambda _: None
            )
            == 0
        )


def adjust(ledger: Ledger, *months: tuple[str, str]) -> None:
    with ledger.operator_session("kim", "goodwill") as session:
        for account, period in months:
            session.adjust_account(account, 1, period)


def test_a_statement_and_a_rerating_are_the_same_on_both_stores(store_url: str) -> None:
    now = START
    with opened(store_url, clock=lambda: now) as ledger, closing(open_current(ledger)) as store:
        publish(ledger, CENTS_A_MINUTE.format(6))
        record(ledger, *(cdr(at, "COMPLETED", destduration="61", srccharge="1.5", src=str(at)) for at in range(3)))
        publish(ledger, CENTS_A_MINUTE.format(7))
        with ledger.operator_session("kim", "all there") as session:
            session.close_month("2026-10")
        now += 30 * 86_400 * SECOND
        catch_up(ledger, store)
        with store.snapshot() as connection:
            calls = calls_of_account(connection, "acme", "2026-10")
            before = load_statement(connection, "acme", "2026-10", ledger.head(), ledger.billing_context())
        dry = list(rerating.preview_rerating(ReratingPreview(ledger, 2), calls, lambda _: None))
        assert (
            list(rerating.rerate_calls(ledger, ReratingPreview(ledger, 2), calls, 2, "kim", "agreed", lambda _: None))
            == dry
        )
        assert [each.posted for each in dry] == [[PostedPrice("acme", "2026-11", 0, 1_100_000)]] * 3
        catch_up(ledger, store)
        with store.snapshot() as connection:
            assert load_statement(connection, "acme", "2026-10", ledger.head(), ledger.billing_context()) == before
            after = load_statement(connection, "acme", "2026-11", ledger.head(), ledger.billing_context())
        assert [(line.kind, line.day, line.sums.calls, line.sums.price) for line in before.lines] == [
            ("calls", "2026-10-01", 3, 3 * 6_600_000)
        ]
        assert [tuple(line) for line in after.lines] == [
            ("difference", "", "2026-10", "agreed", StatementSums(price=3 * 1_100_000)),
        ]
        assert (before.total.price, before.due) == (19_800_000, 20_000_000)
        assert (after.roundings, after.due, after.heading.closed) == ({"half-up:0": -300_000}, 3_000_000, None)


CENTS_A_MINUTE = """
[[rules]]
tag = "*"
account = "acme"
per_minute = {}
increment = "60/6"
rounding = {{ mode = "half-up", places = 0, level = "statement" }}
"""


def publish(ledger: Ledger, text: str) -> None:
    with ledger.operator_session("kim", "prices") as session:
        session.publish_tariff(text)
