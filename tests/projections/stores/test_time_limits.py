"""What takes longer than a page can wait is stopped, and whoever asked goes on in the same snapshot (docs/explanation/performance.md)."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import Connection

from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from projections.stores.base import ReadStore, TimeLimitReached
from projections.stores.generations import open_current
from tests.support.ledgers import opened

FOR_EVER = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
)


class Reading(NamedTuple):
    """A snapshot of read models without an event."""

    ledger: Ledger
    store: ReadStore
    connection: Connection

    def can_go_on(self) -> bool:
        return self.store.position(self.connection, self.ledger.store) == 0


@contextmanager
def reading(url: str) -> Iterator[Reading]:
    with opened(url) as ledger, closing(open_current(ledger)) as store, store.snapshot() as connection:
        yield Reading(ledger, store, connection)


def test_a_statement_that_takes_longer_than_it_may_is_stopped_and_the_snapshot_stays(store_url: str) -> None:
    with reading(store_url) as here:
        begun = time.monotonic()
        with pytest.raises(TimeLimitReached), here.store.time_limit(here.connection, timedelta(milliseconds=50)):
            here.connection.exec_driver_sql(FOR_EVER)
        assert time.monotonic() - begun < 30
        assert here.can_go_on()


def test_each_limit_counts_again_however_short_it_is(store_url: str) -> None:
    with reading(store_url) as here:
        for limit in (timedelta(0), timedelta(microseconds=1)):
            with pytest.raises(TimeLimitReached), here.store.time_limit(here.connection, limit):
                here.connection.exec_driver_sql(FOR_EVER)
            assert here.can_go_on()


def test_what_is_quick_is_answered_and_nothing_is_limited_afterwards(store_url: str) -> None:
    with reading(store_url) as here:
        with here.store.time_limit(here.connection, timedelta(milliseconds=1)):
            pass
        with here.store.time_limit(here.connection, timedelta(seconds=30)):
            assert here.can_go_on()
        a_while = FOR_EVER.replace("1000000000", "300000")
        assert here.connection.exec_driver_sql(a_while).scalar_one() == 300_000


def test_another_error_stays_what_it_is(store_url: str) -> None:
    with (
        pytest.raises(StoreUnavailable, match="nowhere"),
        reading(store_url) as here,
        here.store.time_limit(here.connection, timedelta(seconds=30)),
    ):
        here.connection.exec_driver_sql("SELECT * FROM nowhere")
