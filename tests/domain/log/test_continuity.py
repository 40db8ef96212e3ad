"""A process never records on a log that has lost what it recorded before."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain.errors import StoreLost
from domain.ledger import Ledger
from tests.support.database_roles import superusers
from tests.support.ledger_inspection import change
from tests.support.ledgers import opened, record
from tests.support.notices import GRACE, cdr


def notices(first: int, count: int) -> list[Any]:
    return [cdr(number * GRACE, tag=f"t{number}") for number in range(first, first + count)]


def tamper(url: str, statement: str) -> None:
    """Change the log by hand, beside the process that has it open."""
    if url.startswith("sqlite"):
        change(Path(url.removeprefix("sqlite:///")), statement)
        return
    # As a replica, whose triggers do not fire: that events are never changed is what a database alone cannot promise.
    with psycopg.connect(
        superusers(url), options="-c search_path=tringledger -c session_replication_role=replica"
    ) as connection:
        assert connection.execute(statement.encode()).rowcount


class TestALogThatLostWhatThisProcessRecorded:
    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("DELETE FROM stored_events WHERE position > 3", "ends at position 3, and position 5 was recorded"),
            (
                "UPDATE stored_events SET state = (SELECT state FROM stored_events WHERE position = 1) WHERE position = 5",
                "the event at position 5 is not the one",
            ),
        ],
    )
    def test_takes_nothing_more_until_the_process_starts_again(self, store_url: str, statement: str, said: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, *notices(0, 5))
            tamper(store_url, statement)
            for _ in range(2):
                with pytest.raises(StoreLost, match=said):
                    record(ledger, *notices(9, 1))
                with pytest.raises(StoreLost, match="tringledger restore"):
                    ledger.head()
        with opened(store_url) as ledger:
            record(ledger, *notices(9, 1))

    def test_takes_nothing_more_though_others_have_recorded_on_it(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            record(ledger, *notices(0, 5))
            tamper(store_url, "DELETE FROM stored_events WHERE position > 3")
            with opened(store_url) as other:
                record(other, *notices(20, 9))
            with pytest.raises(StoreLost, match="the event at position 5 is not the one"):
                record(ledger, *notices(9, 1))


class TestALogThatOthersWriteAsWell:
    def test_goes_on_as_ever(self, store_url: str) -> None:
        with opened(store_url) as one, opened(store_url) as other:
            for number in range(4):
                record(one if number % 2 else other, *notices(3 * number, 3))
            assert one.head() == 12

    def test_loses_nothing_by_being_vacuumed_under_a_running_process(self, tmp_path: Any) -> None:
        url = f"sqlite:///{tmp_path}/ledger.db"
        with opened(url) as ledger:
            record(ledger, *notices(0, 50))
            with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
                other.execute("VACUUM")
                other.execute("PRAGMA wal_checkpoint(PASSIVE)")
            record(ledger, *notices(50, 50))
            assert ledger.head() == 100


def test_a_reader_needs_no_memory(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, *notices(0, 2))
    with closing(Ledger(store_url)) as reader:
        assert reader.head() == 2
