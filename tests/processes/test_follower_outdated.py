"""Read models that another version made: the follower rebuilds older ones by itself, and leaves newer ones alone."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event
from time import monotonic

import pytest

from api.processes import follower as followers
from api.processes.follower import Follower
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.schema.tables import SCHEMA
from projections.stores.base import RebuildRunning
from projections.stores.generations import generation_of, open_current
from tests.support.ledgers import opened, record, tables
from tests.support.notices import callstatus


@contextmanager
def follower_of(ledger: Ledger) -> Iterator[Follower]:
    follower = Follower(ledger)
    try:
        yield follower
    finally:
        follower.close()


def made_by(ledger: Ledger, schema: int) -> None:
    """Let the read models know three events and be of a schema, and the log have a fourth event."""
    record(ledger, *(callstatus("SRCANSWERED", tag=f"t{number}") for number in range(3)))
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE progress SET schema = {schema}")
    record(ledger, callstatus("SRCANSWERED", tag="t3"))


def test_older_ones_are_rebuilt_and_followed_and_that_is_told_before_it_takes_long(store_url: str) -> None:
    with opened(store_url) as ledger:
        made_by(ledger, SCHEMA - 1)
        with follower_of(ledger) as follower:
            told = follower.run_once()
            assert f"have schema {SCHEMA - 1}, and this version of tringledger has {SCHEMA}" in told.failure
            assert told.failure.endswith("The rebuild has begun")
            begun = monotonic()
            follower.wait(told, Event())
            assert monotonic() - begun < 1, "it was told, and begins at once"
            assert (done := follower.run_once()).position == 4
            assert done.failure == ""
        assert generation_of(ledger) == 2
        assert len(tables(ledger)["calls"]) == 4


@pytest.mark.only_on("sqlite")
def test_a_rebuild_that_fails_is_told_with_its_cause_and_is_not_tried_at_once_again(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def refuse(_ledger: Ledger) -> None:
        tries.append(1)
        raise RebuildRunning("another rebuild is running")

    with opened(store_url) as ledger:
        made_by(ledger, SCHEMA - 1)
        with follower_of(ledger) as follower, monkeypatch.context() as patch:
            patch.setattr(followers, "rebuild", refuse)
            said = [follower.run_once().failure for _ in range(3)]
        assert said[1] == said[2]
        assert said[1].endswith("It cannot do so now: another rebuild is running")
        assert len(tries) == 1


def test_newer_ones_are_refused_with_the_way_out_and_left_alone(store_url: str) -> None:
    with opened(store_url) as ledger:
        made_by(ledger, SCHEMA + 1)
        with follower_of(ledger) as follower:
            said = [follower.run_once().failure for _ in range(2)]
        assert (
            f"have schema {SCHEMA + 1}, and this version of tringledger has {SCHEMA}: use the newer tringledger"
            in said[0]
        )
        assert said[0] == said[1]
        assert generation_of(ledger) == 1
