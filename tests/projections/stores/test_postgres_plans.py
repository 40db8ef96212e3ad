"""What PostgreSQL plans and does for pages, catch-up and updates, on tables as large as a few thousand rows need."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event

from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.pagination import fetch_page
from projections.queries.selection import Selection
from projections.schema.tables import CALLS
from projections.stores.base import ReadStore
from projections.stores.generations import open_current
from projections.stores.upsert import put_rows
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus, cdr

CDRS = """
    INSERT INTO cdrs SELECT 'call' || n, 'tag', '18585550001', n, 'ANSWERED', 'ANSWERED', n, NULL, n, 1, 1, 1, 1, 0, 0, 2, 0,
        'acme', '', 1, 2, 0, '2026-10', n, '', '2026-10-01', '2026-10', 0, 0, '' FROM generate_series(1, 20000) n
"""


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with opened(database) as found:
        yield found


@pytest.fixture
def read_models(ledger: Ledger) -> Iterator[ReadStore]:
    with closing(open_current(ledger)) as found:
        yield found


def test_a_page_of_entries_reads_its_rows_alone_wherever_it_is(read_models: ReadStore) -> None:
    with read_models.transaction() as connection:
        connection.exec_driver_sql(CDRS)
    read_models.finish_build()
    statements: list[tuple[str, Any]] = []
    with read_models.snapshot() as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
        first = fetch_page(connection, "entries", Selection(account="acme"), "UTC")
        second = fetch_page(connection, "entries", Selection(account="acme"), "UTC", cursor=first.next)
        assert [row.position for row in (*first.rows, *second.rows)] == list(range(1, 201))
        assert fetch_page(connection, "entries", Selection(), "UTC", "-position").rows[0].position == 20000
        for text, parameters in statements[:3]:
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING off) {text}", parameters).scalars())
            assert "Seq Scan on cdrs" not in plan, plan
            assert "rows=20000 loops" not in plan, plan


def test_statistics_are_taken_once_the_first_events_are_in(ledger: Ledger, read_models: ReadStore) -> None:
    record(ledger, *(cdr(0, tag=f"t{number}") for number in range(1001)))
    catch_up(ledger, read_models)
    with read_models.snapshot() as connection:
        found = connection.exec_driver_sql("SELECT reltuples::bigint FROM pg_class WHERE oid = 'cdrs'::regclass")
        assert found.scalar_one() >= 1000


def test_a_call_in_progress_is_updated_within_its_page(ledger: Ledger, read_models: ReadStore) -> None:
    record(ledger, callstatus("SRCANSWERED"))
    catch_up(ledger, read_models)
    with read_models.transaction() as connection:
        (row,) = connection.execute(CALLS.select()).all()
        later = row._asdict() | {"last_at": row.last_at + 1, "events": 2, "digits": "1"}
        put_rows(connection, CALLS, [tuple(later.values())])
        updated = "SELECT pg_stat_get_xact_tuples_hot_updated('calls'::regclass)"
        assert connection.exec_driver_sql(updated).scalar_one() == 1


def test_indexes_of_cdrs_leave_the_long_call_id_to_the_table(read_models: ReadStore) -> None:
    read_models.create_missing_indexes()
    query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'tringledger_read_1' AND tablename = 'cdrs'"
    with read_models.snapshot() as connection:
        found = [text for text in connection.exec_driver_sql(query).scalars() if "UNIQUE" not in text]
    assert len(found) > 5
    assert not [text for text in found if "call_id" in text]
