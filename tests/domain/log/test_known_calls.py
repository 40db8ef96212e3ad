"""The known calls of a line answer as a plain list of the calls would, whatever was read and whatever changed."""

from hypothesis import given
from hypothesis import strategies as st

from domain.calls.correlation import CallHead
from domain.log.known_calls import KnownCalls
from domain.log.line_call_rows import row_of

MOMENTS = st.integers(0, 12)
SPANS = st.tuples(MOMENTS, MOMENTS).map(sorted)
PUTS = st.lists(st.tuples(st.integers(1, 6), SPANS), max_size=12)


def head(ordinal: int, first_at: int, last_at: int, events: int = 1) -> CallHead:
    return CallHead(ordinal, first_at, last_at, events=events)


@given(PUTS, MOMENTS, MOMENTS)
def test_searches_find_what_a_scan_of_all_calls_finds(puts: list[tuple[int, list[int]]], start: int, end: int) -> None:
    known, heads = KnownCalls("line"), dict[int, CallHead]()
    for ordinal, (first_at, last_at) in puts:
        heads[ordinal] = head(ordinal, first_at, last_at)
        known.put(heads[ordinal])
        begun = [each for each in heads.values() if each.first_at <= end]
        assert known.latest_begun(end) == max(begun, key=lambda each: (each.first_at, each.ordinal), default=None)
        overlapping = [each for each in heads.values() if each.first_at <= end and each.last_at >= start]
        assert list(known.overlapping(start, end)) == sorted(overlapping, key=lambda each: each.ordinal)
        assert known.last_ordinal() == max(heads)


def test_a_call_that_is_moved_in_place_before_another_one_is_no_longer_the_latest() -> None:
    earlier, later = head(1, 10, 11), head(2, 20, 21)
    known = KnownCalls("line", [earlier, later])
    later.first_at = 5
    known.put(later)
    assert known.latest_begun(30) is earlier


def test_a_call_that_is_read_again_does_not_replace_the_changed_one() -> None:
    known = KnownCalls("line", [head(1, 10, 11)])
    changed = head(1, 9, 11, events=2)
    known.put(changed)
    known.add(head(1, 10, 11))
    assert known.latest_begun(30) is changed


def test_only_changed_calls_are_written_and_each_change_once() -> None:
    known = KnownCalls("line", [head(1, 10, 11), head(2, 20, 21)])
    changed = head(2, 20, 25, events=2)
    known.put(changed)
    assert known.changed() == [row_of("line", changed)]
    assert known.changed() == []
