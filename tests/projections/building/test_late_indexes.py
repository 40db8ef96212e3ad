"""Read models that are filled from nothing get their indexes at the end, however often the filling is interrupted."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from domain.ledger import Ledger
from projections.building import catch_up as catching_up
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models, rebuild
from projections.schema.indexes_and_views import index_statements
from projections.schema.tables import CALLS
from projections.stores.base import ReadStore
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record, tables
from tests.support.notices import callstatus, cdr

LOG = [callstatus("SRCANSWERED"), callstatus("COMPLETED", 1), cdr(2, srccharge="1.5"), callstatus("SRCFAILED", 9000)]


@pytest.fixture
def ledger(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Return a ledger of a few events, all of which are worth waiting for with the indexes."""
    monkeypatch.setattr(catching_up, "EVENTS_LEFT_MAX", 0)
    with opened(store_url) as found:
        record(found, *LOG)
        yield found


def missing_indexes(store: ReadStore) -> list[str]:
    with store.snapshot() as connection:
        return store._missing_indexes(connection)


def test_a_filling_that_was_interrupted_is_read_without_indexes_and_continued_by_the_next_one(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as first:
        assert missing_indexes(first) == sorted(index_statements())
        assert catch_up(ledger, first, 2) == 2
        assert first.lacks_indexes()
        with first.snapshot() as connection:
            assert [row.events for row in connection.execute(CALLS.select())] == [2]
    with closing(open_current(ledger)) as second:
        assert catch_up(ledger, second) == len(LOG)
        assert not second.lacks_indexes()
        assert missing_indexes(second) == []
    assert check_read_models(ledger).found == 0


def test_read_models_that_are_still_being_filled_are_not_caught_up_to_compare_a_rebuild_with_them(
    ledger: Ledger,
) -> None:
    with closing(open_current(ledger)) as live:
        catch_up(ledger, live, 2)
        assert rebuild(ledger).position is None
        with live.snapshot() as connection:
            assert live.position(connection, ledger.store) == 2
    rebuilt = tables(ledger)
    with closing(open_current(ledger)) as live:
        assert not live.lacks_indexes()
    assert rebuild(ledger).position == len(LOG)
    assert tables(ledger) == rebuilt


@pytest.mark.only_on("sqlite")
def test_a_kill_between_two_indexes_leaves_the_others_to_the_next_catch_up(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as live:
        catch_up(ledger, live)
        with live.transaction() as connection:
            connection.exec_driver_sql("DROP INDEX calls_by_src")
    with closing(open_current(ledger)) as live:
        assert missing_indexes(live) == ["calls_by_src"]
        catch_up(ledger, live)
        assert missing_indexes(live) == []


@pytest.mark.parametrize(
    ("position", "head", "far"),
    [(0, 20_000, False), (0, 20_001, True), (900_000, 990_001, True), (900_000, 990_000, False)],
)
def test_indexes_wait_while_a_tenth_or_20_000_events_are_left(position: int, head: int, *, far: bool) -> None:
    assert catching_up._is_far(position, head) is far
