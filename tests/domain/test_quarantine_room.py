"""The quarantine under a flood: caps on notices and bytes, what goes first, and totals that are kept, not counted (SPEC 9.5)."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.notices.signature import Keyring, fingerprint
from domain.outcomes import Quarantined, Recorded, RecordOutcome, Rejected
from tests.support.database_edits import execute
from tests.support.ledgers import opened
from tests.support.notices import FORMULA, KEY, OTHER_KEY, START, cdr, signed

RETIRED = "the key of last year"
FITS_RETIRED = f"this signature fits the retired key {fingerprint(RETIRED)}: expected an active key"
FITS_FORMULA = f"this signature fits the formula md5-r-key with the key {fingerprint(KEY)}: expected md5-params"
WRONG = "the signature is wrong or missing"


@pytest.fixture
def flooded(store_url: str) -> Iterator[Ledger]:
    """Return a ledger with room for three wrong signatures, and with a retired key; one signature has fitted."""
    ledger = ledger_with_room(store_url, LedgerOptions(quarantine_max=3))
    assert isinstance(hear(ledger, genuine(0))[0], Recorded)
    yield ledger
    ledger.close()


def ledger_with_room(url: str, options: LedgerOptions) -> Ledger:
    return Ledger(url, Keyring(FORMULA, [KEY], [RETIRED]), options, create=True)


def genuine(number: int) -> bytes:
    return signed(cdr(r=number)).encode()


def wrong(number: int, size: int = 0) -> bytes:
    return signed(cdr(r=number, note="x" * size if size else None), OTHER_KEY).encode()


def by_retired_key(number: int) -> bytes:
    return signed(cdr(r=number), RETIRED).encode()


def by_other_formula(number: int) -> bytes:
    return signed(cdr(r=number), KEY, "md5-r-key").encode()


def hear(ledger: Ledger, *said: bytes) -> list[RecordOutcome]:
    return ledger.record([ledger.verify_delivery(each, START + place) for place, each in enumerate(said)])


def waiting(ledger: Ledger) -> list[bytes]:
    return [entry.raw for entry in ledger.store.quarantined(settled=False)]


def reasons(ledger: Ledger) -> list[str]:
    return [entry.reason for entry in ledger.store.quarantined(settled=False)]


def test_a_wrong_key_is_told_apart_from_a_wrong_formula(flooded: Ledger) -> None:
    hear(flooded, by_retired_key(1), by_other_formula(2), wrong(3))
    assert reasons(flooded) == [FITS_RETIRED, FITS_FORMULA, WRONG]


def test_a_retired_key_is_never_accepted(flooded: Ledger) -> None:
    (outcome,) = hear(flooded, by_retired_key(1))
    assert isinstance(outcome, Quarantined)
    assert (outcome.reason, flooded.head()) == (WRONG, 1), "a caller does not learn what fits"


def test_what_fits_a_retired_key_or_another_formula_is_the_last_to_go(flooded: Ledger) -> None:
    hear(flooded, by_retired_key(1), by_other_formula(2), wrong(3))
    hear(flooded, wrong(4))
    assert waiting(flooded) == [by_retired_key(1), by_other_formula(2), wrong(4)]
    hear(flooded, by_other_formula(5), by_other_formula(6))
    assert waiting(flooded) == [by_other_formula(2), by_other_formula(5), by_other_formula(6)]


def test_within_one_transaction_the_order_is_the_same(flooded: Ledger) -> None:
    hear(flooded, by_retired_key(1), *map(wrong, range(2, 900)), by_other_formula(900))
    assert waiting(flooded) == [by_retired_key(1), wrong(899), by_other_formula(900)]


def test_bytes_count_as_well_as_notices(store_url: str) -> None:
    ledger = ledger_with_room(store_url, LedgerOptions(quarantine_bytes=10_000))
    try:
        hear(ledger, genuine(0), *(wrong(number, 3000) for number in range(1, 6)))
        assert waiting(ledger) == [wrong(number, 3000) for number in (3, 4, 5)]
        hear(ledger, wrong(6, 9000))
        assert waiting(ledger) == [wrong(6, 9000)]
    finally:
        ledger.close()


def test_no_more_is_dropped_than_makes_room_and_numbers_go_on_without_a_gap(store_url: str) -> None:
    with closing(ledger_with_room(store_url, LedgerOptions(quarantine_bytes=10_000))) as ledger:
        hear(ledger, genuine(0), *(wrong(number, 2000) for number in range(1, 5)))
        hear(ledger, wrong(5, 4000), wrong(4, 2000))
        entries = list(ledger.store.quarantined(settled=False))
        assert [(entry.id, entry.raw, entry.times) for entry in entries] == [
            (number, wrong(number, size), times) for number, size, times in ((3, 2000, 1), (4, 2000, 2), (5, 4000, 1))
        ]


@pytest.mark.parametrize(("spare", "kept"), [(0, 2), (-1, 1)])
def test_the_limit_of_bytes_is_reached_to_the_byte(store_url: str, spare: int, kept: int) -> None:
    room = len(wrong(1)) + len(wrong(2)) + spare
    with closing(ledger_with_room(store_url, LedgerOptions(quarantine_bytes=room))) as ledger:
        hear(ledger, genuine(0), wrong(1), wrong(2))
        assert len(waiting(ledger)) == kept


def test_nothing_is_dropped_for_its_bytes_while_no_signature_has_fitted(store_url: str) -> None:
    ledger = ledger_with_room(store_url, LedgerOptions(quarantine_bytes=10_000))
    try:
        outcomes = hear(ledger, *(wrong(number, 3000) for number in range(1, 5)))
        assert [type(outcome) for outcome in outcomes] == [Quarantined] * 3 + [Rejected]
    finally:
        ledger.close()


def test_what_was_dropped_is_counted_for_the_ledger_and_for_the_process(flooded: Ledger) -> None:
    hear(flooded, *map(wrong, range(1, 9)))
    hear(flooded, wrong(9))
    assert (flooded.dropped_from_quarantine, flooded.store.facts()["quarantine_dropped"]) == (6, "6")


def test_broken_values_are_never_dropped(flooded: Ledger) -> None:
    broken = signed(cdr(r=1, srccharge="free")).encode()
    hear(flooded, broken, *map(wrong, range(2, 9)))
    assert (waiting(flooded)[0], flooded.store.count_quarantined()) == (broken, (3, 1))


def test_totals_follow_whatever_becomes_of_an_entry(flooded: Ledger) -> None:
    hear(flooded, signed(cdr(r=1, srccharge="free"), OTHER_KEY).encode(), wrong(2), wrong(3))
    assert flooded.store.count_quarantined() == (3, 0)
    ours = Ledger(flooded.url, Keyring(FORMULA, [KEY, OTHER_KEY]))
    for entry in list(ours.store.quarantined(settled=False))[:2]:
        ours.reprocess(entry)
    ours.close()
    assert flooded.store.count_quarantined() == (1, 1)
    with flooded.store.transaction() as log:
        kept = log.unauthentic_totals()
    assert (kept.notices, kept.bytes) == (1, len(wrong(3)))


def test_counting_costs_no_scan(flooded: Ledger) -> None:
    hear(flooded, wrong(1), wrong(2))
    execute(flooded.url, "UPDATE quarantine_totals SET notices = 100000 WHERE NOT authentic")
    assert flooded.store.count_quarantined() == (100_000, 0)


@pytest.mark.only_on("sqlite", "postgres")  # A service may not migrate.
def test_a_ledger_of_log_schema_2_is_counted_once_by_migrate(store_url: str) -> None:
    with opened(store_url) as ledger:
        hear(ledger, wrong(1), wrong(2), signed(cdr(r=3, srccharge="free")).encode())
    drops = [
        "DROP TRIGGER quarantine_counts_in",
        "DROP TRIGGER quarantine_counts_out",
        "DROP TRIGGER quarantine_counts_over",
    ]
    if store_url.startswith("postgresql"):
        drops = [f"{name} ON quarantine" for name in ("DROP TRIGGER quarantine_counts_in_and_out", drops[2])]
    schema = "UPDATE ledger SET value = '2' WHERE name = 'schema'"
    execute(store_url, *drops, "DROP TABLE quarantine_totals", schema)
    with opened(store_url) as ledger:
        assert ledger.store.count_quarantined() == (2, 1)
        hear(ledger, wrong(4))
        assert ledger.store.count_quarantined() == (3, 1)
