"""Matching and judging records: against every way there is, on inputs small enough to try them all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application.reconciliation import matching
from api.application.reconciliation.assignment import assign
from api.application.reconciliation.classes import MatchClass, classify
from api.application.reconciliation.matching import ASSIGNED_MAX, DistanceMeasure, MatchPair, match_records
from api.application.reconciliation.record_spool import OURS, THEIRS, MatchRecord, RecordSpool

COMPARED = ("dest_duration", "dest_charge")
WINDOW = 10
MEASURE = DistanceMeasure(WINDOW, (1_000_000, 1))
TOLERANCE = 2

Choice = Sequence[int | None]


def record(
    side: int, at: int, seconds: int = 0, charge: int = 0, *, since: int | None = None, ref: str = ""
) -> MatchRecord:
    return MatchRecord(
        side, "acme", "1", at if since is None else since, at, wanted=True, ref=ref, numbers=(seconds, charge)
    )


def choices(costs: Sequence[Iterable[int]]) -> Iterator[Choice]:
    """Return every way in which rows can take columns, or stay alone."""
    for chosen in product(*[[None, *columns] for columns in costs]):
        taken = [column for column in chosen if column is not None]
        if len(taken) == len(set(taken)):
            yield chosen


matrices = st.lists(st.dictionaries(st.integers(0, 4), st.integers(0, 12), max_size=5), max_size=5)


@given(matrices, st.sampled_from([0, 3, 8, 100]))
def test_an_assignment_costs_as_little_as_any(costs: list[dict[int, int]], alone: int) -> None:
    def total(choice: Choice) -> int:
        return sum(alone if column is None else row[column] for row, column in zip(costs, choice, strict=True))

    found = assign(costs, alone)
    assert found in [list(choice) for choice in choices(costs)]
    assert total(found) == min(total(choice) for choice in choices(costs))


moments = st.integers(0, 25)
seconds = st.integers(0, 5)
charges = st.sampled_from([0, 1, 2_000_000])


@st.composite
def groups(draw: st.DrawFn, most: int = 4) -> list[MatchRecord]:
    """Return the records of one tag and number, in the order of the spool."""
    ours = [
        record(OURS, at, length, charge, since=max(0, at - span), ref=f"call {number}")
        for number, (at, length, charge, span) in enumerate(
            draw(st.lists(st.tuples(moments, seconds, charges, st.sampled_from([0, 0, 6])), max_size=most))
        )
    ]
    theirs = [
        record(THEIRS, at, length, charge, ref=f"line {number}")
        for number, (at, length, charge) in enumerate(
            draw(st.lists(st.tuples(moments, seconds, charges), max_size=most))
        )
    ]
    return sorted(ours + theirs, key=lambda each: (each.at, each.side))


def merit(found: Sequence[MatchPair]) -> tuple[int, int, int, int]:
    """Return how good a matching is: the less, the better."""
    matched = [(here, there) for here, there in found if here and there]
    exact = sum(here.numbers == there.numbers for here, there in matched)
    difference = sum(
        abs(here.numbers[0] - there.numbers[0]) * 1_000_000 + abs(here.numbers[1] - there.numbers[1])
        for here, there in matched
    )
    apart = sum(max(0, here.first_at - there.at, there.at - here.at) for here, there in matched)
    return (-exact, -len(matched), difference, apart)


def possible(group: Sequence[MatchRecord]) -> Iterator[list[MatchPair]]:
    ours = [each for each in group if each.side == OURS]
    theirs = [each for each in group if each.side == THEIRS]
    near = [
        [place for place, there in enumerate(theirs) if here.first_at - WINDOW <= there.at <= here.at + WINDOW]
        for here in ours
    ]
    for choice in choices(near):
        yield [
            MatchPair(here, None if place is None else theirs[place]) for here, place in zip(ours, choice, strict=True)
        ]


@given(groups())
def test_of_all_matchings_the_best_is_found_and_every_record_is_in_it_once(group: list[MatchRecord]) -> None:
    found = list(match_records(group, MEASURE))
    assert Counter(each for pair in found for each in pair if each) == Counter(group)
    assert merit(found) == min(merit(other) for other in possible(group))


@contextmanager
def assigned_at_most(count: int) -> Iterator[None]:
    """Have parts of more records than so many count as large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "ASSIGNED_MAX", count)
        yield


def begun(group: Iterable[MatchRecord]) -> list[MatchRecord]:
    return sorted(group, key=lambda each: (each.first_at, each.at))


def refs(found: Iterable[MatchPair]) -> set[tuple[str | None, str | None]]:
    """Return who was matched with whom; that each is on its own side is checked."""
    pairs = list(found)
    assert all(here.side == OURS for here, _ in pairs if here)
    assert all(there.side == THEIRS for _, there in pairs if there)
    return {(here and here.ref, there and there.ref) for here, there in pairs}


@given(groups(most=12))
def test_in_order_of_time_every_record_is_matched_once_and_within_the_window(group: list[MatchRecord]) -> None:
    found = list(matching._in_order_of_time(group, MEASURE))
    assert Counter(each for pair in found for each in pair if each) == Counter(group)
    assert len(refs(found)) <= len(found)
    matched = [(here, there) for here, there in found if here and there]
    assert all(MEASURE.apart(here, there) <= WINDOW for here, there in matched)
    assert [there.ref for _, there in matched] == sorted(
        (there.ref for _, there in matched), key=[each.ref for each in group].index
    )


@given(groups(most=12))
def test_in_order_of_time_no_two_are_left_that_are_near(group: list[MatchRecord]) -> None:
    moments = [each._replace(first_at=each.at) for each in group]
    alone = [pair for pair in matching._in_order_of_time(reversed(moments), MEASURE) if None in pair]
    ours, theirs = [here for here, _ in alone if here], [there for _, there in alone if there]
    assert not any(MEASURE.apart(here, there) <= WINDOW for here in ours for there in theirs)


def test_in_order_of_time_a_time_within_the_span_of_a_call_is_near() -> None:
    group = [record(OURS, 30, since=0, ref="call"), record(THEIRS, 15, ref="line")]
    assert refs(matching._in_order_of_time(group, MEASURE)) == {("call", "line")}
    for at, apart in ((WINDOW, {("call", "line")}), (WINDOW + 1, {("call", None), (None, "line")})):
        group = [record(OURS, 0, ref="call"), record(THEIRS, at, ref="line")]
        assert refs(matching._in_order_of_time(group, MEASURE)) == apart


@given(groups(most=8))
def test_in_a_large_part_records_that_are_alike_are_matched_nearest_first(group: list[MatchRecord]) -> None:
    alike = begun(each._replace(numbers=(1, 1)) for each in group)
    with assigned_at_most(0):
        found = list(match_records(alike, MEASURE))
    assert Counter(each for pair in found for each in pair if each) == Counter(alike)
    assert {pair for pair in refs(found) if None not in pair} == nearest_first(alike)


@pytest.mark.parametrize("shift", [-WINDOW, WINDOW, -WINDOW - 1, WINDOW + 1])
def test_in_a_large_part_what_is_as_far_as_the_window_is_near_and_what_is_further_is_not(shift: int) -> None:
    alike = [record(OURS, 20, ref="call"), record(THEIRS, 20 + shift, ref="line")]
    with assigned_at_most(0):
        found = refs(match_records(begun(alike), MEASURE))
    assert (found == {("call", "line")}) == (abs(shift) == WINDOW)


def nearest_first(group: Sequence[MatchRecord]) -> set[tuple[str, str]]:
    """Take the nearest two, and again from what is left, the earlier ones of those that are equally near."""
    ours, theirs = ([each for each in group if each.side == side] for side in (OURS, THEIRS))
    near = sorted(
        (MEASURE.apart(here, there), row, column)
        for row, here in enumerate(ours)
        for column, there in enumerate(theirs)
        if MEASURE.apart(here, there) <= WINDOW
    )
    taken: dict[int, int] = {}
    for _, row, column in near:
        if row not in taken and column not in taken.values():
            taken[row] = column
    return {(ours[row].ref, theirs[column].ref) for row, column in taken.items()}


def test_few_that_are_alike_in_a_large_part_are_matched_as_a_whole() -> None:
    """Nearest first, the second of ours would take the first of theirs, and leave two alone."""
    alike = [record(side, at, 1, ref=f"{at}") for side, at in ((OURS, 0), (THEIRS, 3), (OURS, 4), (THEIRS, 11))]
    other = record(OURS, 5, 2, ref="other")
    expected = {("0", "3"), ("4", "11"), ("other", None)}
    with assigned_at_most(2):
        assert refs(match_records(begun([*alike, other]), MEASURE)) == expected
    with assigned_at_most(1):
        assert refs(match_records(begun([*alike, other]), MEASURE)) != expected


@pytest.mark.parametrize(("most", "lines"), [(1, (0, 4)), (2, (4, 0)), (3, (4, 0))])
def test_what_a_large_part_has_beside_exact_pairs_is_matched_by_its_numbers_or_where_too_many_in_order_of_time(
    most: int, lines: tuple[int, int]
) -> None:
    ours = [record(OURS, at, at, ref=f"call {at}") for at in (0, 2, 4)]
    theirs = [record(THEIRS, at + 1, seconds, ref=f"line {at}") for at, seconds in ((0, 5), (2, 2), (4, 1))]
    with assigned_at_most(most):
        found = refs(match_records(begun(ours + theirs), MEASURE))
    assert found == {("call 2", "line 2"), ("call 0", f"line {lines[0]}"), ("call 4", f"line {lines[1]}")}


@given(groups())
def test_a_record_is_judged_by_its_numbers_alone(group: list[MatchRecord]) -> None:
    for pair in match_records(group, MEASURE):
        verdict = classify(pair, COMPARED, TOLERANCE)
        if pair.here is None or pair.there is None:
            assert verdict is (MatchClass.MISSING_HERE if pair.here is None else MatchClass.MISSING_THERE)
            continue
        (ours, our_charge), (theirs, their_charge) = pair.here.numbers, pair.there.numbers
        assert (verdict is MatchClass.DURATION_DIFFERS) == (abs(ours - theirs) > TOLERANCE)
        assert (verdict is MatchClass.EXACT) == ((ours, our_charge) == (theirs, their_charge))
        if verdict is MatchClass.WITHIN_TOLERANCE:
            assert our_charge == their_charge
        if verdict is MatchClass.PRICE_DIFFERS:
            assert our_charge != their_charge


def test_an_exact_counterpart_is_not_given_away_to_match_two_others() -> None:
    group = [record(OURS, 0, 5), record(OURS, 10, 60), record(THEIRS, 10, 60), record(THEIRS, 20, 3600)]
    assert [(here and here.at, there and there.at) for here, there in match_records(group, MEASURE)] == [
        (0, None),
        (10, 10),
        (None, 20),
    ]


def test_above_the_limit_records_are_matched_in_order_of_time() -> None:
    count = ASSIGNED_MAX + 1
    group = [each for at in range(count) for each in (record(OURS, at * 3, at), record(THEIRS, at * 3, at))]
    assert all(here and there and here.at == there.at for here, there in match_records(group, MEASURE))
    # One short of it, the numbers decide.
    crossed = [record(OURS, 0, 1), record(OURS, 0, 2), record(THEIRS, 0, 2), record(THEIRS, 0, 1)]
    assert all(here and there and here.numbers == there.numbers for here, there in match_records(crossed, MEASURE))


def test_the_spool_gives_back_each_tag_and_number_in_order_of_time() -> None:
    kept = [
        MatchRecord(side, tag, src, at, at, wanted=bool(at), ref=f"{at}", numbers=(at, -at))
        for at, (side, tag, src) in enumerate(product((THEIRS, OURS), ("b", "a"), ("2", "1")))
    ]
    with RecordSpool(2) as spool:
        spool.take(reversed(kept))
        given_back = [list(group) for group in spool.groups()]
    assert [[(each.tag, each.src) for each in group] for group in given_back] == [
        [(tag, src)] * 2 for tag in "ab" for src in "12"
    ]
    assert sorted((each for group in given_back for each in group), key=lambda each: each.at) == kept
    assert all(group == sorted(group, key=lambda each: each.at) for group in given_back)


def test_the_missing_one_of_many_calls_of_a_day_is_found_although_the_statement_has_no_numbers() -> None:
    """400 calls of one tag, each 3 minutes after the last, and many of one price; the statement lacks one."""
    random = Random(4)
    measure = DistanceMeasure(300, MEASURE.weights)
    prices = [(60 * random.randrange(1, 4), random.randrange(3)) for _ in range(400)]
    ours = [record(OURS, at * 180, *price, since=at * 180 - 40, ref=f"{at}") for at, price in enumerate(prices)]
    for missing in (0, 199, 200, 399):
        theirs = [record(THEIRS, each.at - 7, *each.numbers) for each in ours if each.ref != f"{missing}"]
        found = list(match_records(sorted(ours + theirs, key=lambda each: (each.first_at, each.at)), measure))
        assert [here and here.ref for here, there in found if there is None] == [f"{missing}"]
        assert all(here and there and here.at - there.at == 7 for here, there in found if there)


def test_more_records_than_are_kept_at_once_are_matched_as_if_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "PART_MAX", 500)
    group = [each for at in range(2000) for each in (record(OURS, at * 3, at), record(THEIRS, at * 3 + 4, at))]
    found = list(match_records(sorted(group, key=lambda each: each.first_at), MEASURE))
    assert len(found) == 2000
    assert all(here and there and here.numbers == there.numbers for here, there in found)


def test_of_two_readings_of_a_time_the_nearer_one_is_taken_and_without_a_counterpart_the_first() -> None:
    hour = 3600
    either = record(THEIRS, hour, 5, since=0, ref="either")
    for at in (0, hour):
        ((here, there),) = match_records([record(OURS, at, 5), either], MEASURE)
        assert (here and here.at, there and (there.first_at, there.at)) == (at, (at, at))
    assert list(match_records([either], MEASURE)) == [MatchPair(None, either._replace(first_at=0, at=0))]
    between = record(OURS, 3, 5)
    assert list(match_records([either._replace(at=6), between], MEASURE)) == [
        MatchPair(between, either._replace(first_at=0, at=0))
    ]


def test_a_call_between_two_readings_of_a_time_and_near_neither_is_no_counterpart() -> None:
    hour = 3600
    either, between = record(THEIRS, hour, 5, since=0), record(OURS, hour // 2, 5)
    wanted = [MatchPair(between, None), MatchPair(None, either._replace(first_at=0, at=0))]
    assert sorted(match_records([either, between], MEASURE), key=str) == sorted(wanted, key=str)
    for at, is_near in ((WINDOW, True), (WINDOW + 1, False), (hour - WINDOW, True), (hour + WINDOW, True)):
        assert (MEASURE.apart(record(OURS, at), either) <= WINDOW) == is_near
    assert [MEASURE.apart(record(OURS, at), either) for at in (0, 3, hour - 3, hour, hour + 3)] == [0, 3, 3, 0, 3]
