"""Numbers of statements have no gap and are given once, on any number of hosts, and their events keep the digest (SPEC 9.13)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from domain.billing.party_record import PartyRecord
from domain.billing.statement_numbers import Series
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.operator_events import PartyPublished, StatementNumbered
from domain.events.streams import NUMBERS, PARTIES
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from domain.operators.statement_numbering import NumberedDocument, read_numbers
from tests.support.ledgers import opened
from tests.support.notices import START
from tests.support.operator_histories import BY, WHY, act

MAIN, EU = Series("main", "{year}-{number:4}"), Series("eu", "EU{number}")
HOSTS, ACCOUNTS = 4, [f"account-{number}" for number in range(6)]


def written(number: str, at: int) -> bytes:
    return f"{number} at {at}".encode()


def asked(account: str, series: Series = MAIN, period: str = "2026-08", kind: str = "statement") -> NumberedDocument:
    return NumberedDocument(kind, account, period, series, 1, "statement/1", 1_400_000, 1, written)


def number(*documents: NumberedDocument) -> Callable[[OperatorSession], list[str]]:
    return lambda session: [session.number_document(document).number for document in documents]


def events(ledger: Ledger) -> list[StatementNumbered]:
    return read_numbers(ledger.history(NUMBERS)).events


def closed(url: str) -> Ledger:
    with opened(url, clock=lambda: START) as ledger:
        act(ledger, lambda session: session.close_month("2026-09"))
    return ledger


def test_numbers_count_up_in_their_series_and_year_and_keep_the_digest(store_url: str) -> None:
    closed(store_url)
    with opened(store_url, clock=lambda: START) as ledger:
        documents = (
            asked("a"),
            asked("b", EU),
            asked("a", kind="credit-note"),
            asked("c"),
            asked("a", period="2025-12"),
        )
        with ledger.operator_session(BY, WHY) as session:
            given = number(*documents)(session)
        assert given == ["2026-0001", "EU1", "2026-0002", "2026-0003", "2025-0001"]
        with ledger.operator_session(BY, WHY) as session:
            assert number(asked("d"), asked("d", EU, "2025-12"))(session) == ["2026-0004", "EU2"]
        first = events(ledger)[0]
        assert first.digest == sha256(written("2026-0001", START)).hexdigest()
        assert (first.exact, first.due, first.party, first.scope) == (1_400_000, 1, 1, "2026-{number}")


def test_a_month_that_is_open_a_second_statement_and_a_number_of_another_series_are_refused(store_url: str) -> None:
    closed(store_url)
    with opened(store_url, clock=lambda: START) as ledger, ledger.operator_session(BY, WHY) as session:
        session.number_document(asked("a"))
        with pytest.raises(CommandRejected, match="2026-10 is not closed; expected a month up to 2026-09"):
            session.number_document(asked("a", period="2026-10"))
        with pytest.raises(CommandRejected, match="the statement of a for 2026-08 has the number 2026-0001 already"):
            session.number_document(asked("a"))
        with pytest.raises(
            CommandRejected, match="series other is 2026-0001, which the statement of a in the series main"
        ):
            session.number_document(asked("b", Series("other", "2026-{number:4}")))


@pytest.mark.only_on("sqlite")
def test_reissues_are_counted_and_leave_the_number_and_its_digest_as_they_were(store_url: str) -> None:
    closed(store_url)
    with opened(store_url, clock=lambda: START) as ledger:
        with ledger.operator_session(BY, WHY) as session:
            first = session.number_document(asked("a"))
        for _ in range(2):
            with ledger.operator_session(BY, WHY) as session:
                session.reissue_document(
                    first.number, 2, "reissue/1", lambda ordinal, at: written(f"reissue {ordinal}", at)
                )
        known = read_numbers(ledger.history(NUMBERS))
        assert known.events == [first]
        assert [(each.ordinal, each.account, each.party) for each in known.reissues_of(first.number)] == [
            (1, "a", 2),
            (2, "a", 2),
        ]
        assert known.reissues_of(first.number)[1].digest == sha256(written("reissue 2", START)).hexdigest()
        with (
            pytest.raises(CommandRejected, match="no document has the number '2026-0009'"),
            ledger.operator_session(BY, WHY) as session,
        ):
            session.reissue_document("2026-0009", 2, "reissue/1", written_never)


def written_never(_ordinal: int, _at: int) -> bytes:
    raise AssertionError


def test_a_transaction_that_fails_has_used_no_number(store_url: str) -> None:
    closed(store_url)
    with opened(store_url, clock=lambda: START) as ledger:
        with pytest.raises(CommandRejected), ledger.operator_session(BY, WHY) as session:
            number(asked("a"), asked("b"), asked("a"))(session)
        assert events(ledger) == []
        with ledger.operator_session(BY, WHY) as session:
            assert number(asked("b"))(session) == ["2026-0001"]


def test_hosts_that_bill_at_once_share_the_numbers_without_gap_or_double(store_url: str) -> None:
    closed(store_url)

    def bill(_host: int) -> None:
        with opened(store_url) as ledger:
            for account in ACCOUNTS:
                with ledger.operator_session(BY, WHY) as session:
                    if (account, "2026-08") not in session.numbered().statements:
                        session.number_document(asked(account))

    with ThreadPoolExecutor(HOSTS) as hosts:
        list(hosts.map(bill, range(HOSTS)))
    with opened(store_url) as ledger:
        found = events(ledger)
    assert [each.number for each in found] == [f"2026-{ordinal:04}" for ordinal in range(1, len(ACCOUNTS) + 1)]
    assert sorted(each.account for each in found) == ACCOUNTS


def test_a_published_party_is_a_digest_in_the_log_and_a_fact_beside_it(store_url: str) -> None:
    record = PartyRecord.of_text("text", b"logo", "image/png")
    with opened(store_url, clock=lambda: START) as ledger:
        positions = [act(ledger, lambda session: session.publish_party(record)) for _ in range(2)]
        rows = ledger.history(PARTIES)
        published = [decode_operator_event(row.topic, row.state) for row in rows]
        assert [row.position for row in rows] == positions
        assert [(each.version, each.digest) for each in published if isinstance(each, PartyPublished)] == [
            (1, record.digest),
            (2, record.digest),
        ]
        assert ledger.store.facts()["party_2"] == record.encode()
