"""Months billed amid whatever operators do: every amount is on one statement, every change in one note, and all print the same later."""

from collections import Counter
from contextlib import closing
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application.invoices.bill_run import BillingRefused, number_bill
from api.application.invoices.numbering import NumberedDocuments, PrintedDocument, load_numbers, print_month
from api.application.invoices.oddities import months_before
from domain import times
from domain.billing.party_record import PartyRecord
from domain.events.operator_events import STATEMENT, StatementNumbered
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.customer_books import CustomerBooks
from projections.rows.entry import DIFFERENCE, statement_roundings
from projections.schema.tables import ENTRIES
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.notices import TAG
from tests.support.operator_histories import BY, WHY, World, act, hear, ledger_in, named, run, some_step, void_of, wait

CHARGED = """
[accounts.acme]
monthly_fee = [{ from = "2026-09", price = 5.005, text = "Line rental" }]
monthly_minimum = [{ from = "2026-10", price = 20 }]
[[rules]]
tag = "*"
account = "acme"
markup_percent = 10
rounding = { mode = "up", places = 0, level = "statement" }
"""
PARTY = '[sender]\nname = "We"\n[[series]]\nname = "own"\npattern = "S{number}"\naccounts = ["a*"]\n'


def publish_charges(ledger: Ledger, _world: World) -> None:
    void_of(act(ledger, lambda session: session.publish_tariff(CHARGED)))


def publish_party(ledger: Ledger, _world: World) -> None:
    void_of(act(ledger, lambda session: session.publish_party(PartyRecord.of_text(PARTY))))


def bill(ledger: Ledger, world: World) -> None:
    """Bill the month before the present one."""
    period = months_before(times.day(world.now, "UTC")[:7])[0]
    with closing(open_current(ledger)) as store:
        assert not isinstance(number_bill(ledger, store, period, BY, WHY), BillingRefused)


def printed_again(ledger: Ledger) -> tuple[list[PrintedDocument], list[dict[str, object]]]:
    """Print all that has a number; return that, and the entries of the books."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        numbered = NumberedDocuments(ledger)
        with store.snapshot() as connection:
            books = CustomerBooks(connection, ledger.billing_context())
            keys = sorted({(each.account, each.period) for each in load_numbers(ledger).events})
            printed = [each for key in keys for each in print_month(books.month(*key), numbered)]
            return printed, named([tuple(row) for row in connection.execute(ENTRIES.select())], ENTRIES)


@pytest.mark.thorough
@examples(20)
@given(st.integers(0, 1 << 30))
def test_whatever_operators_do_each_amount_is_billed_once_and_prints_the_same_permanently(seed: int) -> None:
    random, world = Random(seed), World()
    with ledger_in(world) as ledger, pytest.MonkeyPatch.context() as clock:
        clock.setattr(times, "now", world.clock)
        before: dict[str, bytes] = {}
        for _ in range(random.randint(2, 4)):
            calls = [hear("cdr", 0, TAG, random.randint(0, 9)) for _ in range(random.randint(0, 3))]
            more = random.sample([publish_charges, publish_party], random.randint(0, 2))
            steps = [*calls, *more, *(some_step(random) for _ in range(random.randint(5, 20)))]
            run(ledger, world, [*random.sample(steps, len(steps)), wait(31), bill])
            printed, entries = printed_again(ledger)
            contents = {each.document["number"]: each.content for each in printed}
            assert contents.items() >= before.items()
            before = contents
            assert_billed_once(load_numbers(ledger).events, entries)
            for each in printed:
                assert_lines_sum_up(each)


def assert_billed_once(events: list[StatementNumbered], entries: list[dict[str, object]]) -> None:
    """Check the numbers that were given against the entries of the books."""
    for key, count in Counter((each.series, each.scope) for each in events).items():
        assert [each.ordinal for each in events if (each.series, each.scope) == key] == [*range(1, count + 1)]
    statements = {(each.account, each.period): each for each in events if each.kind == STATEMENT}
    for key, statement in statements.items():
        levels, changes = Counter[str](), Counter[str]()
        for entry in entries:
            if (entry["account"], entry["period"]) == key:
                levels[str(entry["level"])] += int(str(entry["price"]))
                if entry["kind"] == DIFFERENCE:
                    changes[str(entry["original_period"])] += int(str(entry["price"]))
        assert statement.exact == sum(levels.values()) + sum(statement_roundings(levels).values())
        notes = [each for each in events if (each.account, each.period) == key and each.kind != STATEMENT]
        billed = {each.period for each in events[: events.index(statement)] if (key[0], each.period) in statements}
        assert sorted(each.original_period for each in notes) == sorted(
            month for month, price in changes.items() if price and month in billed and month != key[1]
        )
        for note in notes:
            assert note.exact == changes[note.original_period]
            assert note.corrects == statements[key[0], note.original_period].number


def assert_lines_sum_up(printed: PrintedDocument) -> None:
    """Check the lines of a document against its amount due."""
    lines, due = printed.document["lines"], Decimal(printed.document["due"])
    assert sum((Decimal(line["amount"]) for line in lines), Decimal()) == due
    assert sum((Decimal(line["cents"]) for line in lines), Decimal()) == due * 100
