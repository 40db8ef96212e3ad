"""What every store offers beside recording: appending what was decided elsewhere, looking for damage, reading before there is a ledger."""

from contextlib import closing
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from domain.calls.correlation import CallHead
from domain.events.streams import call_id, line_key
from domain.log.contract import Lookup
from domain.log.line_call_rows import SPANS, head_of, row_of
from domain.log.open import open_log
from domain.log.postgres import log as postgres_log
from domain.notices.call_notice import Charges
from domain.outcomes import Quarantined
from tests.support.database_edits import execute
from tests.support.ledgers import opened, record
from tests.support.notices import OTHER_KEY, SECOND, SRC, START, TAG, callstatus, cdr

LINE = (TAG, SRC)


def test_events_that_were_decided_elsewhere_get_the_next_positions(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus(), cdr())
        (row,) = ledger.store.page(0, 1, 1)
        stored = [StoredEvent(UUID(int=number), 1, row.topic, row.state) for number in (1, 2, 3)]
        assert list(ledger.store.insert_events(stored)) == [3, 4, 5]  # type: ignore[attr-defined]
        assert list(ledger.store.insert_events([])) == []  # type: ignore[attr-defined]
        assert [(each.stream, each.version) for each in ledger.store.page(2, 9, 9)] == [
            (UUID(int=number).hex, 1) for number in (1, 2, 3)
        ]
        assert ledger.store.page(2, 9, 9)[0][3:] == row[3:]
        assert ledger.head() == 5


def test_a_whole_store_has_no_damage_and_may_be_put_in_order_at_any_time(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus(), cdr())
        ledger.store.checkpoint()
        ledger.store.reserve_writer()
        assert ledger.store.find_damage() == []
        assert ledger.head() == 2
        with closing(ledger.store.lock("a test")) as lock, closing(ledger.store.lock("another")) as other:
            assert (lock.acquire(), other.acquire()) == (True, True)


@pytest.mark.only_on("postgres")
def test_what_the_server_says_of_a_damaged_table_is_found(store_url: str) -> None:
    with opened(store_url) as ledger:
        execute(
            store_url,
            "CREATE FUNCTION damaged() RETURNS text LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION USING ERRCODE = 'XX001', MESSAGE = 'invalid page in block 7'; END$$",
            "DROP TABLE nonces",
            "CREATE VIEW nonces AS SELECT damaged() AS nonce",
        )
        (found,) = ledger.store.find_damage()
        assert found.startswith("nonces: invalid page in block 7")


@pytest.mark.only_on("postgres")  # SQLite reads one by one.
def test_all_of_the_quarantine_is_read_however_many_are_read_at_once(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_log, "ROWS_AT_ONCE", 2)
    with opened(store_url) as ledger:
        record(ledger, *(cdr(number * SECOND, r=str(number), srccharge="x") for number in range(5)))
        assert [entry.id for entry in ledger.store.quarantined(settled=False)] == [1, 2, 3, 4, 5]
        assert [entry.id for entry in ledger.store.quarantined(settled=True, after=2)] == [3, 4, 5]


def test_when_the_oldest_open_notice_came_is_told_of_both_kinds_and_not_of_settled_ones(store_url: str) -> None:
    with opened(store_url) as ledger:
        assert ledger.store.oldest_quarantined_at() is None
        record(ledger, cdr(SECOND, r="1", srccharge="x"))
        record(ledger, cdr(2 * SECOND, r="2"), key=OTHER_KEY)
        record(ledger, cdr(3 * SECOND, r="3", srccharge="x"))
        entries = list(ledger.store.quarantined(settled=False))
        assert [entry.authentic for entry in entries] == [True, False, True]
        for entry in entries:
            assert ledger.store.oldest_quarantined_at() == entry.received_at
            with ledger.store.transaction() as log:
                log.mark_settled(entry.id, 1)
        assert ledger.store.oldest_quarantined_at() is None


@pytest.mark.only_on("sqlite", "postgres")  # Before a service comes, the owner has made the tables.
def test_where_there_is_no_ledger_there_are_no_facts(store_url: str) -> None:
    with closing(open_log(store_url)) as log:
        assert log.facts() == {}
        with pytest.raises(Exception, match=r"no such table|does not exist"):
            log.head()
    with opened(store_url) as ledger:
        assert ledger.store.facts()["id"] == ledger.id


def test_what_a_store_is_asked_about_keys_it_tells_of_those_it_has(store_url: str) -> None:
    with opened(store_url) as ledger:
        outcomes = record(ledger, cdr(r="1"), callstatus(r="2"), cdr(r="3", srccharge="x"))
        assert isinstance(outcomes[2], Quarantined)
        (entry,) = ledger.store.quarantined(settled=False)
        assert ledger.store.quarantined_keys([entry.delivery_key, b"k" * 32]) == {entry.delivery_key}
        assert ledger.store.quarantined_keys([]) == set()
        assert ledger.store.positions([entry.delivery_key]) == {}
        assert (ledger.store.quarantined_one(entry.id), ledger.store.quarantined_one(9)) == (entry, None)
        assert ledger.store.quarantined_at(7) is None
        assert ledger.store.count_quarantined() == (0, 1)
        with ledger.store.transaction() as log:
            log.mark_settled(entry.id, 2)
        assert ledger.store.quarantined_at(2) == entry._replace(position=2)
        assert list(ledger.store.quarantined(settled=False)) == []
        assert list(ledger.store.quarantined(settled=True, after=entry.id - 1)) == [entry._replace(position=2)]
        assert list(ledger.store.quarantined(settled=True, after=entry.id)) == []
        assert (ledger.store.last_ordinal(line_key(LINE)), ledger.store.last_ordinal("none")) == (1, 0)


def test_settled_notices_can_be_deleted_by_when_they_last_came_and_their_numbers_are_not_used_again(
    store_url: str,
) -> None:
    with opened(store_url) as ledger:
        record(ledger, *(cdr(number * SECOND, r=str(number), srccharge="x") for number in range(3)))
        first, second, third = ledger.store.quarantined(settled=False)
        with ledger.store.transaction() as log:
            for entry in (second, third):
                log.mark_settled(entry.id, 2)
            assert log.drop_settled(second.last_received_at) == 0
            assert log.drop_settled(third.last_received_at + 1) == 2
            assert log.count_repeat(third) == 0
            again = log.quarantine(third)
        assert again > third.id
        assert [entry.id for entry in ledger.store.quarantined(settled=True)] == [first.id, again]
        assert ledger.store.count_quarantined() == (0, 2)


def test_a_fact_is_kept_with_its_last_value_and_what_a_transaction_reads_is_what_it_set(store_url: str) -> None:
    with opened(store_url) as ledger:
        with ledger.store.transaction() as log:
            assert (log.get_fact("a test"), log.get_fact("id")) == (None, ledger.id)
            log.set_fact("a test", "1")
            log.set_fact("a test", "2")
            assert log.get_fact("a test") == "2"
        with ledger.store.transaction() as log:
            assert log.get_fact("a test") == "2"
            assert (log.position, log.recorded_at) == (0, 0)
            assert log.state_at(1) is None  # type: ignore[attr-defined]


def test_a_log_without_events_has_no_last_state_and_what_was_prefetched_is_not_claimed(store_url: str) -> None:
    stream = UUID(int=7)
    with opened(store_url) as ledger, ledger.store.transaction() as log:
        assert (log.position, log.last_state) == (0, b"")  # type: ignore[attr-defined]
        log.prefetch([Lookup(b"key", refused=False)])
        assert log.claim_delivery_key(b"key", 1) == 0
        assert log.claim_delivery_key(b"key", 2) == 1
        log.release_delivery_key(b"key")
        assert log.claim_delivery_key(b"key", 2) == 0
        assert log.last_version(stream) == 0
        log.append(stream, 1, "topic", b"state")
        assert (log.position, log.last_version(stream)) == (1, 1)


def test_a_delivery_key_a_claim_and_an_r_are_claimed_once_and_a_key_may_be_released(store_url: str) -> None:
    key, other = b"k" * 32, b"o" * 32
    with opened(store_url) as ledger:
        for turn in (0, 1):
            with ledger.store.transaction() as log:
                assert log.claim_delivery_key(key, 5) == (5 if turn else 0)
                assert log.claim_delivery_key(key, 6) == 5
                assert log.claim_delivery_key(other, 7) == 0
                log.release_delivery_key(other)
                assert log.claim_signature("00", 5) == (5 if turn else 0)
                assert log.claim_signature("00", 6) == 5
                assert log.claim_nonce("7", b"a", 5) == (6 if turn else 0)
                assert log.claim_nonce("7", b"b", 6) == 5
                assert log.claim_nonce("7", b"b", 8) == 5
                assert log.claim_nonce("7", b"c", 9) == 5
                assert log.claim_nonce("8", b"c", 9) == 0
                assert log.last_version(call_id(LINE, 1)) == 0
        assert ledger.store.positions([key, other]) == {key: 5}
        assert ledger.store.claimed_positions(["00", "01"]) == {"00": 5}


@pytest.mark.parametrize(
    ("length", "span"),
    [(0, 0), (SPANS[0], 0), (SPANS[0] + 1, 1), (SPANS[1], 1), (SPANS[2], 2), (SPANS[2] + 1, 3)],
)
def test_a_call_is_kept_whole_and_in_the_class_of_its_length(length: int, span: int) -> None:
    charges = Charges(1, 2, None, 4, 5, 6)
    for head in (
        CallHead(7, START, START + length, "SRCANSWERED", ("COMPLETED", "DESTBUSY"), charges, "COMPLETED", 3),
        CallHead(8, START, START + length),
    ):
        line, *row, kept = row_of("a line", head)
        assert (line, kept) == ("a line", span)
        assert head_of(row) == head
