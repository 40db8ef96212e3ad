"""Changes: what events between two positions changed, account by account, adds up to the difference of the two billing tables."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from domain.ledger import Ledger
from projections.building.as_of import open_as_of
from projections.queries import billing_changes as module
from projections.queries.billing_changes import BillingChange, billing_changes
from projections.schema.tables import BILLING, TOTALS
from tests.conftest import SQLITE_FIRST
from tests.support.effort import examples
from tests.support.ledger_databases import ledger_database
from tests.support.ledger_histories import Step, live, lives
from tests.support.ledgers import opened
from tests.support.postgres_server import Postgres


@contextmanager
def lived(kind: str, postgres: Postgres, life: list[Step]) -> Iterator[Ledger]:
    with ExitStack() as stack:
        if kind == "postgres":
            url = stack.enter_context(ledger_database(postgres))
        else:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/ledger.db"
        ledger = stack.enter_context(opened(url))
        for step in life:
            live(ledger, step)
        yield ledger


def billing(ledger: Ledger, position: int) -> Counter[tuple[str, str, str]]:
    with open_as_of(ledger, position) as store, store.snapshot() as connection:
        return Counter(
            {
                (row.account, row.period, name): getattr(row, name)
                for row in connection.execute(select(BILLING))
                for name in TOTALS
            }
        )


def summed(found: list[BillingChange]) -> Counter[tuple[str, str, str]]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for change in found:
        for name, by in zip(TOTALS, change.totals, strict=True):
            sums[change.account, change.period, name] += by
    return sums


@pytest.mark.parametrize("kind", SQLITE_FIRST)
@given(life=lives(), data=st.data(), size=st.sampled_from((1, 2, 7, 4000)))
@examples(30)
def test_all_changes_between_two_positions_add_up_to_the_difference_of_what_was_billed_then(
    kind: str, postgres: Postgres, life: list[Step], data: st.DataObject, size: int
) -> None:
    with lived(kind, postgres, life) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE_SIZE", size)
        first = data.draw(st.integers(0, ledger.head()))
        last = data.draw(st.integers(first, ledger.head()))
        found = [change for page in billing_changes(ledger, first, last) for change in page]
        assert [change.position for change in found] == sorted(change.position for change in found)
        assert all(first < change.position <= last and any(change.totals) for change in found)
        before, after = billing(ledger, first), billing(ledger, last)
        after.subtract(before)
        after.subtract(summed(found))
        assert not any(after.values())
