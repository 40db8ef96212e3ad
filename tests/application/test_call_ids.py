"""A call is found by the beginning of its id, in the log itself."""

from itertools import count
from uuid import UUID

import pytest

from api.application.call_ids import CANDIDATES_MAX, AmbiguousCallId, NoSuchCall, find_call_id
from domain.events.streams import call_id
from domain.ledger import Ledger
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, TAG, callstatus, notice


def sources_alike(tag: str, many: int, digits: int) -> list[str]:
    """Return numbers of one tag whose first calls have ids that begin with the same digits."""
    found: dict[str, list[str]] = {}
    for number in count(10000):
        alike = found.setdefault(call_id((tag, str(number)), 1).hex[:digits], [])
        alike.append(str(number))
        if len(alike) == many:
            return alike
    raise AssertionError


def calls_of(ledger: Ledger, *sources: str) -> list[UUID]:
    record(ledger, *(callstatus("SRCANSWERED", r=number, src=src) for number, src in enumerate(sources)))
    return [call_id((TAG, src), 1) for src in sources]


def test_one_call_alone_begins_so(store_url: str) -> None:
    with opened(store_url) as ledger:
        call, other = calls_of(ledger, SRC, "2")
        assert find_call_id(ledger, call.hex[:8]) == call
        assert find_call_id(ledger, other.hex[:31]) == other


def test_several_are_named_with_their_tags(store_url: str) -> None:
    with opened(store_url) as ledger:
        one, other = calls_of(ledger, *sources_alike(TAG, 2, 4))
        with pytest.raises(AmbiguousCallId) as refused:
            find_call_id(ledger, one.hex[:4])
        first, second = sorted((one, other))
        assert str(refused.value) == (
            f"got {one.hex[:4]}, with which several calls begin; expected more digits of one of"
            f" {first} (tag '{TAG}'), {second} (tag '{TAG}')"
        )
        whole = next(digits for digits in range(4, 33) if one.hex[:digits] != other.hex[:digits])
        assert find_call_id(ledger, one.hex[:whole]) == one


def test_of_very_many_a_few_are_named(store_url: str) -> None:
    with opened(store_url) as ledger:
        calls = calls_of(ledger, *sources_alike(TAG, CANDIDATES_MAX + 1, 2))
        with pytest.raises(AmbiguousCallId, match=r"\), and more$") as refused:
            find_call_id(ledger, calls[0].hex[:2])
        assert str(refused.value).count("(tag") == CANDIDATES_MAX


def test_streams_that_are_no_calls_do_not_count(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, notice(type="voicemail", email="a@b.example"))
        (row,) = ledger.store.page(0, 1, 1)
        with pytest.raises(NoSuchCall, match=f"begins with {row.stream[:8]}"):
            find_call_id(ledger, row.stream[:8])


def test_a_whole_id_is_not_looked_up(store_url: str) -> None:
    with opened(store_url) as ledger:
        assert find_call_id(ledger, call_id((TAG, "none"), 1).hex) == call_id((TAG, "none"), 1)
