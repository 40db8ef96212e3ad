"""One signature, one notification (SPEC 9.3): who reads a signed text in another way gets no second event out of it."""

from pathlib import Path

import pytest

from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.notices.notification import parse_pairs
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome
from tests.support.database_edits import execute
from tests.support.ledgers import opened
from tests.support.notices import KEY, START, cdr, signature, signed

# Under md5-params the text of these is the same: names and values stand behind one another without a separator.
FIRST = [("f", "tm"), ("src", "1858"), ("tag", "salestx=9"), ("type", "cdr")]
SECOND = [("f", "tm"), ("src", "1858"), ("tag", "sales"), ("tx", "9"), ("type", "cdr")]
THIRD = [("f", "tm"), ("src", "1858"), ("tag", "sales"), ("tx", "9type=cdr")]
REASON = "this signature came before, at position 1, with other parameters"


def raw(pairs: list[tuple[str, str]], *, upper: bool = False) -> bytes:
    sig = signature(FIRST, KEY, "md5-params")
    texts = [f"{name}={value.replace('=', '%3D')}" for name, value in [*pairs, ("sig", sig.upper() if upper else sig)]]
    return "&".join(texts).encode()


def hear(ledger: Ledger, *said: bytes) -> list[RecordOutcome]:
    return ledger.record([ledger.verify_delivery(each, START + place) for place, each in enumerate(said)])


class TestASignatureThatWasUsed:
    def test_makes_no_second_event_and_the_notice_is_quarantined_as_not_genuine(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            assert isinstance(hear(ledger, raw(FIRST))[0], Recorded)
            (outcome,) = hear(ledger, raw(SECOND))
            assert isinstance(outcome, Quarantined)
            assert (outcome.problem, outcome.reason, ledger.head()) == (None, REASON, 1)
            entry = ledger.store.quarantined_one(outcome.entry)
            assert entry
            assert (entry.authentic, entry.reason) == (False, REASON)
            assert ledger.store.count_quarantined() == (1, 0)

    def test_is_known_within_a_batch_and_the_refused_notice_is_counted_when_it_comes_again(
        self, store_url: str
    ) -> None:
        with opened(store_url) as ledger:
            first, second, again = hear(ledger, raw(FIRST), raw(SECOND), raw(SECOND))
            assert isinstance(first, Recorded)
            assert isinstance(second, Quarantined)
            assert again == Quarantined(second.entry, None, is_new=False, before=1)

    def test_is_the_same_in_capital_letters(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            hear(ledger, raw(FIRST))
            (outcome,) = hear(ledger, raw(SECOND, upper=True))
            assert isinstance(outcome, Quarantined)
            assert outcome.reason == REASON

    def test_is_no_matter_where_the_notification_is_the_same(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            hear(ledger, raw(FIRST))
            hear(ledger, raw(SECOND))
            assert hear(ledger, raw(FIRST)) == [Duplicate(1)]

    def test_is_not_lifted_by_reprocessing(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            hear(ledger, raw(FIRST), raw(SECOND))
            (entry,) = ledger.store.quarantined(settled=False)
            assert ledger.reprocess(entry) == Quarantined(entry.id, None, is_new=False, before=1)
            assert (ledger.head(), list(ledger.store.quarantined(settled=False))) == (1, [entry])

    def test_makes_its_notice_the_first_to_go_when_the_quarantine_is_full(self, store_url: str) -> None:
        options = LedgerOptions(quarantine_max=2)
        with opened(store_url, options) as ledger:
            wrong = [f"f=tm&tag={number}&sig=00".encode() for number in range(3)]
            hear(ledger, raw(FIRST))
            hear(ledger, wrong[0])
            hear(ledger, raw(SECOND))
            hear(ledger, wrong[1])
            reasons = [entry.reason for entry in ledger.store.quarantined(settled=False)]
            assert (len(reasons), REASON in reasons) == (2, False)
            hear(ledger, wrong[2])
            assert [entry.raw for entry in ledger.store.quarantined(settled=False)] == wrong[1:]


class TestALedgerFromBefore:
    def test_is_taught_by_migrate_and_the_lowest_position_has_the_signature(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            hear(ledger, raw(FIRST))
        execute(store_url, "DELETE FROM signatures")
        with opened(store_url) as ledger:
            assert hear(ledger, raw(SECOND)) != [Duplicate(1)]
            assert ledger.head() == 2
        execute(store_url, "DELETE FROM signatures", "UPDATE ledger SET value = '1' WHERE name = 'schema'")
        with opened(store_url) as ledger:
            assert ledger.found_schema == 1
            (outcome,) = hear(ledger, raw(THIRD))
            assert isinstance(outcome, Quarantined)
            assert outcome.reason == REASON
            assert hear(ledger, raw(SECOND)) == [Duplicate(2)]


class TestASignatureThatDoesNotCoverTheContent:
    @pytest.mark.parametrize("formula", ["md5-r-key", "md5-key-r"])
    def test_may_come_again(self, store_url: str, formula: str) -> None:
        with opened(store_url, formula=formula) as ledger:
            sig = signature([("r", "7")], KEY, formula)
            said = [f"f=tm&type=cdr&tag={tag}&r=7&sig={sig}".encode() for tag in ("a", "b")]
            assert [type(outcome) for outcome in hear(ledger, *said)] == [Recorded, Recorded]

    def test_is_not_looked_at_where_none_is_checked(self, store_url: str) -> None:
        with opened(store_url, formula="off") as ledger:
            said = [f"f=tm&type=cdr&tag={tag}&sig=00".encode() for tag in ("a", "b")]
            assert [type(outcome) for outcome in hear(ledger, *said)] == [Recorded, Recorded]


class TestWhatABatchClaims:
    @pytest.mark.parametrize("place", range(4))
    @pytest.mark.parametrize("odd", [raw(FIRST), raw(SECOND), b"f=tm&tag=wrong&sig=00"], ids=["known", "used", "wrong"])
    def test_is_the_same_as_one_by_one_wherever_a_notice_is_that_is_not_new(
        self, store_url: str, tmp_path: Path, place: int, odd: bytes
    ) -> None:
        new = [signed(cdr(r=number, tag="new").pairs, formula="md5-params").encode() for number in range(3)]
        batch = [*new[:place], odd, *new[place:]]
        with opened(store_url) as ledger, opened(f"sqlite:///{tmp_path / 'one-by-one.db'}") as other:
            hear(ledger, raw(FIRST))
            hear(other, raw(FIRST))
            at_once = hear(ledger, *batch)
            one_by_one = [hear_at(other, each, START + index) for index, each in enumerate(batch)]
            assert at_once == one_by_one
            claims = [dict_of(each, "sig").lower() for each in (raw(FIRST), *batch)]
            assert ledger.store.claimed_positions(claims) == other.store.claimed_positions(claims)
            keys = [ledger.verify_delivery(each, START).key for each in (raw(FIRST), *batch)]
            assert ledger.store.positions(keys) == other.store.positions(keys)
            assert ledger.head() == 1 + len(new)


def hear_at(ledger: Ledger, said: bytes, at: int) -> RecordOutcome:
    return ledger.record([ledger.verify_delivery(said, at)])[0]


def dict_of(said: bytes, name: str) -> str:
    return dict(parse_pairs(said))[name]
