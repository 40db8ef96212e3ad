"""Large batches, as imports have them, reach PostgreSQL by COPY: the same rows, and the same refusals."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from domain.ledger import Ledger
from domain.log.postgres import transaction as postgres_transaction
from domain.outcomes import Duplicate, Recorded
from tests.support.ledgers import opened, record
from tests.support.notices import cdr

TABLES = ("stored_events", "delivery_keys", "signatures")


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with opened(database, clock=lambda: 1) as found:
        yield found


def rows(ledger: Ledger) -> list[list[tuple[Any, ...]]]:
    with psycopg.connect(ledger.url) as connection:
        return [
            connection.execute(f"SELECT * FROM tringledger.{table} ORDER BY 1, 2".encode()).fetchall()
            for table in TABLES
        ]


@pytest.mark.parametrize("copied_from", [1, 1000])
def test_a_batch_has_the_same_rows_however_it_is_written(
    ledger: Ledger, copied_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_transaction, "COPIED_FROM", copied_from)
    notices = [cdr(0, tag=f"größe-{number}\t\\N") for number in range(30)]
    assert {type(outcome) for outcome in record(ledger, *notices)} == {Recorded}
    assert {type(outcome) for outcome in record(ledger, *notices)} == {Duplicate}
    events, keys, signatures = rows(ledger)
    assert [row[0] for row in events] == list(range(1, 31))
    assert sorted(row[1] for row in keys) == sorted(row[1] for row in signatures) == list(range(1, 31))
    assert [row.position for row in ledger.store.page(0, 99, 99)] == list(range(1, 31))
    assert [row[4] for row in events] == [row.state for row in ledger.store.page(0, 99, 99)]
    assert {dict(notice)["tag"] for notice in notices} == {
        dict(ledger.notice_at(position).params)["tag"] for position in range(1, 31)
    }


def test_a_copy_that_a_rule_refuses_leaves_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_transaction, "COPIED_FROM", 1)
    with psycopg.connect(ledger.url) as administrator:
        administrator.execute("INSERT INTO tringledger.delivery_keys VALUES ('\\x00', 1)")
        administrator.execute("ALTER TABLE tringledger.delivery_keys ADD CONSTRAINT few CHECK (position < 3) NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        record(ledger, *(cdr(0, tag=f"t{number}") for number in range(5)))
    assert ledger.head() == 0
