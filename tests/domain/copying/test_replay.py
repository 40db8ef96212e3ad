"""What a store keeps beside its events follows from them: replayed into a new log, all of it is the same."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.copying.replay import EventsRefused, append_events, line_call_rows
from domain.events.log_row import POSITION_MAX
from domain.events.streams import call_id, line_key
from domain.ledger import Ledger
from domain.log.contract import Log
from domain.log.open import open_log
from domain.log.tables import DELIVERY_KEYS, EVENTS, LINE_CALLS, NONCES, SIGNATURES, LogTable, TableRow
from tests.support.effort import examples
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, SRC, START, TAG, callstatus
from tests.support.operator_histories import Step, World, act, ledger_in, run, steps_of

FOLLOWING = (EVENTS, DELIVERY_KEYS, NONCES, SIGNATURES, LINE_CALLS)


def rows_of(log: Log, table: LogTable) -> list[TableRow]:
    with log.snapshot() as now:
        return list(now.rows(table))


def assert_follows(ledger: Ledger) -> None:
    """Replay a ledger's events into a new log, and compare all that follows from them."""
    with tempfile.TemporaryDirectory() as folder, closing(open_log(f"sqlite:///{folder}/new.db")) as log:
        log.create()
        with log.transaction() as transaction:
            append_events(transaction, ledger.store.page(0, POSITION_MAX, POSITION_MAX))
        with log.fill() as filling:
            filling.put(LINE_CALLS, line_call_rows(log))
        for table in FOLLOWING:
            assert rows_of(log, table) == rows_of(ledger.store, table), table.name


@examples(60)
@given(st.integers(0, 1 << 30).map(steps_of))
def test_whatever_was_heard_and_corrected_what_is_known_of_calls_follows_from_the_events(steps: list[Step]) -> None:
    world = World()
    with ledger_in(world) as ledger:
        run(ledger, world, steps)
        assert_follows(ledger)


@pytest.mark.only_on("sqlite")
def test_a_nonce_that_was_used_twice_is_claimed_by_both_contents(store_url: str) -> None:
    with opened(store_url, formula="md5-r-key") as ledger:
        for tag in ("a", "b", "a"):
            record(ledger, callstatus("SRCRINGING", r="7", tag=tag), formula="md5-r-key")
        assert len(rows_of(ledger.store, NONCES)) == 2
        assert_follows(ledger)


@pytest.mark.only_on("sqlite")
def test_a_call_whose_notices_all_went_elsewhere_keeps_its_ordinal_and_nothing_else(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus("SRCRINGING", 0), callstatus("SRCRINGING", SECOND, tag="other"))
        first, second = call_id((TAG, SRC), 1), call_id(("other", SRC), 1)
        act(ledger, lambda session: session.merge_calls(second, first))
        spans = {row[0]: row[2:4] for row in rows_of(ledger.store, LINE_CALLS)}
        assert spans == {line_key((TAG, SRC)): (START, START + SECOND), line_key(("other", SRC)): (-1, -1)}
        assert_follows(ledger)


@pytest.mark.only_on("sqlite")
def test_events_that_are_no_log_are_refused_with_the_position(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus("SRCRINGING", 0), callstatus("SRCRINGING", 3600 * SECOND))
        one, two = ledger.store.page(0, 2, 2)
    with closing(open_log(f"sqlite:///{tmp_path}/new.db")) as log:
        log.create()
        with (
            pytest.raises(EventsRefused, match="at position 2 comes after position 0"),
            log.transaction() as transaction,
        ):
            append_events(transaction, [two])
        again = one._replace(position=2, version=2)
        with (
            pytest.raises(EventsRefused, match="at position 2 is that at position 1"),
            log.transaction() as transaction,
        ):
            append_events(transaction, [one, again])
        assert log.head() == 0
