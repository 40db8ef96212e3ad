"""The pace of an import: large batches while it is alone, small ones with pauses while callbacks come in."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from api.pace import BATCH_LEAST, BATCH_MOST, SECONDS_HELD_MOST, Pace
from domain.ledger import Ledger
from domain.signature import Keyring
from tests.api.tringme import KEY, call, signed

QUIET_SECONDS = 0.05


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", Keyring("md5-params", [KEY]), create=True) as opened:
        yield opened


def record(ledger: Ledger, number: int) -> int:
    """Record a call and return how many events it has."""
    return len(ledger.record([ledger.inspect(signed(pairs).encode(), 0) for pairs in call(number)]))


def test_an_import_that_is_alone_records_in_large_batches_and_never_waits(ledger: Ledger) -> None:
    pace = Pace(ledger.head, QUIET_SECONDS)
    begun = monotonic()
    for number in range(5):
        pace.after(record(ledger, number), 0.2)
    assert pace.batch_size == BATCH_MOST
    assert monotonic() - begun < 5 * 0.2


def test_beside_callbacks_a_batch_holds_the_store_only_for_a_moment_and_the_import_pauses_as_long_as_it_held_it(
    ledger: Ledger,
) -> None:
    pace = Pace(ledger.head, QUIET_SECONDS)
    ours = record(ledger, 1)
    record(ledger, 2)
    begun = monotonic()
    pace.after(ours, 0.1)
    assert pace.batch_size == BATCH_MOST * SECONDS_HELD_MOST / 0.1
    assert monotonic() - begun >= 0.1


def test_a_batch_is_never_too_small_to_get_on(ledger: Ledger) -> None:
    pace = Pace(ledger.head, QUIET_SECONDS)
    record(ledger, 1)
    pace.after(0, 1.0)
    assert pace.batch_size == BATCH_LEAST


def test_once_the_callbacks_cease_the_batches_grow_again(ledger: Ledger) -> None:
    pace = Pace(ledger.head, QUIET_SECONDS)
    record(ledger, 1)
    pace.after(0, 0.1)
    sleep(2 * QUIET_SECONDS)
    small = pace.batch_size
    pace.after(0, 0.1)
    assert pace.batch_size == 2 * small
