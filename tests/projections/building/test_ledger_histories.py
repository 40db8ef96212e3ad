"""Whatever TringMe sends and operators do: all ways to the read models agree, the books add up, and closed months stay."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from domain.ledger import Ledger
from projections.building import catch_up as catching_up
from projections.building.as_of import open_as_of
from projections.building.catch_up import catch_up
from projections.building.partitions import SEQUENTIAL
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import check_read_models, rebuild
from projections.schema.read_models import STORED_TABLES, TABLES
from projections.schema.tables import TOTALS
from projections.stores.generations import open_current
from tests.conftest import SQLITE_FIRST
from tests.support.effort import examples
from tests.support.ledger_databases import ledger_database
from tests.support.ledger_histories import Step, live, lives
from tests.support.ledgers import opened, tables
from tests.support.postgres_server import Postgres

Rows = dict[str, list[tuple[Any, ...]]]


@contextmanager
def a_ledger(kind: str, postgres: Postgres) -> Iterator[Ledger]:
    with ExitStack() as stack:
        if kind == "postgres":
            url = stack.enter_context(ledger_database(postgres))
        else:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/ledger.db"
        yield stack.enter_context(opened(url))


def follow(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def as_of(ledger: Ledger, position: int) -> Rows:
    with open_as_of(ledger, position) as store, store.snapshot() as connection:
        return {
            name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for name, table in STORED_TABLES.items()
        }


@pytest.mark.parametrize("kind", SQLITE_FIRST)
@given(life=lives(), data=st.data(), size=st.sampled_from((1, 2, 3, 4000)))
@examples(25)
def test_catching_up_at_any_time_rebuilding_and_looking_back_are_the_same(
    kind: str, postgres: Postgres, life: list[Step], data: st.DataObject, size: int
) -> None:
    with a_ledger(kind, postgres) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(catching_up, "PAGE_SIZE", size)
        known: dict[int, Rows] = {}
        for step in life:
            live(ledger, step)
            if data.draw(st.booleans()):
                follow(ledger)
                known[ledger.head()] = tables(ledger)
        follow(ledger)
        followed = tables(ledger)
        report = check_read_models(ledger)
        assert report.differences == []
        assert as_of(ledger, ledger.head()) == followed
        for position, rows in known.items():
            assert as_of(ledger, position) == rows


@examples(6)
@given(life=lives(max_size=40))
def test_any_number_of_processes_make_the_same_of_it(life: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        for step in life:
            live(ledger, step)
        follow(ledger)
        followed = tables(ledger)
        digests = [rebuild(ledger, folding=how).certificate.read_models for how in (SEQUENTIAL, ProcessFolding(2))]
        assert digests[0] == digests[1]
        assert tables(ledger) == followed


@pytest.mark.parametrize("kind", SQLITE_FIRST)
@given(life=lives())
@examples(25)
def test_a_closed_month_stays_as_it_was_to_the_last_row(kind: str, postgres: Postgres, life: list[Step]) -> None:
    with a_ledger(kind, postgres) as ledger:
        frozen: dict[str, list[tuple[Any, ...]]] = {}
        for step in life:
            live(ledger, step)
            follow(ledger)
            through = ledger.billing_context().closed_through(ledger.head() + 1)
            now = closed_entries(ledger, through)
            for month, rows in frozen.items():
                assert [row for row in now if row[0] == month] == rows
            frozen = {
                month: [row for row in now if row[0] == month]
                for month in ("2026-09", "2026-10", "2026-11")
                if month <= through
            }


def closed_entries(ledger: Ledger, through: str) -> list[tuple[Any, ...]]:
    """Return all entries of closed months, and their billing, each with its month first."""
    with closing(open_current(ledger)) as store, store.snapshot() as connection:
        found = []
        for name in ("cdrs", "entries", "billing"):
            table = TABLES[name]
            query = (
                select(table.c.period.label("month"), table)
                .where(table.c.period <= through)
                .order_by(*table.primary_key)
            )
            found += [tuple(row) for row in connection.execute(query)]
        return found


@given(life=lives())
@examples(25)
def test_billing_is_the_sum_of_all_entries_and_every_call_is_charged_once(life: list[Step]) -> None:
    with a_ledger("sqlite", None) as ledger:  # type: ignore[arg-type]
        for step in life:
            live(ledger, step)
        follow(ledger)
        with closing(open_current(ledger)) as store, store.snapshot() as connection:
            summed: dict[tuple[str, str], list[int]] = {}
            for row in connection.execute(select(TABLES["entries"])):
                totals = summed.setdefault((row.account, row.period), [0] * len(TOTALS))
                totals[:] = [total + getattr(row, name) for total, name in zip(totals, TOTALS, strict=True)]
                assert row.price - row.cost == row.margin
            billed = {
                (row.account, row.period): [getattr(row, name) for name in TOTALS]
                for row in connection.execute(select(TABLES["billing"]))
            }
            assert summed == billed
