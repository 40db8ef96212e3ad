"""The pace of an import: large batches while it is alone, small ones with pauses while callbacks come in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest

from api.application.importing.batches import BATCH_SIZE
from api.application.importing.throttle import BATCH_LEAST, SECONDS_HELD_MOST, ImportThrottle
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from domain.outcomes import Recorded
from domain.recording import Delivery
from tests.support.notices import KEY, notices_of_call, signed


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", Keyring("md5-params", [KEY]), create=True) as opened:
        yield opened


def deliveries(ledger: Ledger, numbers: Sequence[int]) -> list[Delivery]:
    """Return the deliveries of so many calls."""
    return [
        ledger.verify_delivery(signed(pairs).encode(), 0) for number in numbers for pairs in notices_of_call(number)
    ]


def callback(ledger: Ledger, number: int) -> None:
    """Let somebody else record a call."""
    ledger.record(deliveries(ledger, [number]))


def test_an_import_that_is_alone_records_in_large_batches(ledger: Ledger) -> None:
    pace = ImportThrottle(ledger)
    answers = pace.record(deliveries(ledger, range(100)))
    assert [answer.position for answer in answers if isinstance(answer, Recorded)] == list(range(1, 301))
    assert pace.batch_size == BATCH_SIZE


def test_beside_callbacks_its_batches_are_small_and_it_pauses(ledger: Ledger) -> None:
    pace = ImportThrottle(ledger)
    callback(ledger, 1000)
    begun = monotonic()
    pace.record(deliveries(ledger, range(100)))
    assert monotonic() - begun >= SECONDS_HELD_MOST
    assert BATCH_LEAST <= pace.batch_size < BATCH_SIZE


def test_one_batch_that_is_split_still_answers_for_each_in_order(ledger: Ledger) -> None:
    pace = ImportThrottle(ledger, quiet_seconds=60)
    callback(ledger, 1000)
    pace.record(deliveries(ledger, [1]))
    pace.batch_size = 2
    answers = pace.record(deliveries(ledger, [1, 2, 3]))
    assert [type(answer).__name__ for answer in answers] == ["Duplicate"] * 3 + ["Recorded"] * 6


def test_once_the_callbacks_cease_the_batches_grow_again(ledger: Ledger) -> None:
    pace = ImportThrottle(ledger, quiet_seconds=0.05)
    callback(ledger, 1000)
    pace.record(deliveries(ledger, [1]))
    pace.batch_size = BATCH_LEAST
    sleep(0.1)
    pace.record(deliveries(ledger, [2]))
    assert pace.batch_size == 2 * BATCH_LEAST
