"""Runs among suspects (SPEC 9.7), on times and keys alone."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain.times import SECOND
from projections.queries.suspect_runs import RunFinder, TwinPair
from tests.support.effort import examples

MINUTE, DAY = 60, 86_400
WEEK, MONTH, GRACE = 7 * DAY, 31 * DAY, 300

Calls = list[tuple[int, str]]


def finder(calls: Calls) -> RunFinder:
    return RunFinder([at * SECOND for at, _ in calls], [key for _, key in calls], MONTH * SECOND, GRACE * SECOND)


def runs(calls: Calls) -> list[list[TwinPair]]:
    found = finder(sorted(calls))
    return found.runs(found.suspects([True] * len(calls)))


def lengths(calls: Calls) -> list[int]:
    return [len(run) for run in runs(calls)]


FIRST: Calls = [(0, "a"), (100, "b"), (4000, "c")]


def again(calls: Calls, shift: int = WEEK) -> Calls:
    return [(at + shift, key) for at, key in calls]


class TestARun:
    def test_is_three_suspects_whose_twins_lie_earlier_by_the_same_shift(self) -> None:
        assert runs(FIRST + again(FIRST)) == [[TwinPair(3, 0), TwinPair(4, 1), TwinPair(5, 2)]]

    def test_is_not_two_suspects(self) -> None:
        assert runs(FIRST + again(FIRST[:2])) == []

    def test_may_have_shifts_that_differ_by_grace_and_not_by_more(self) -> None:
        for late, wanted in ((GRACE, [3]), (GRACE + 1, []), (-GRACE, [3]), (-GRACE - 1, [])):
            assert lengths([*FIRST, *again(FIRST[:2]), (4000 + WEEK + late, "c")]) == wanted

    def test_has_its_twins_where_the_window_reaches_and_not_beyond(self) -> None:
        assert lengths(FIRST + again(FIRST, MONTH)) == [3]
        assert lengths(FIRST + again(FIRST, MONTH + 1)) == []

    def test_is_found_where_equal_calls_lie_nearer_than_its_twins(self) -> None:
        assert runs([*FIRST, (2 * DAY, "b"), *again(FIRST)])[0] == [TwinPair(4, 0), TwinPair(5, 1), TwinPair(6, 2)]

    def test_goes_on_over_a_call_in_between_that_has_a_twin_elsewhere(self) -> None:
        assert lengths([*FIRST, (DAY, "x"), *again(FIRST), (WEEK + 200, "x")]) == [3]

    def test_is_not_made_of_calls_at_even_intervals(self) -> None:
        """Each would be the twin of the next."""
        assert runs([(number * 10 * MINUTE, "a") for number in range(6)]) == []

    def test_that_came_twice_is_two_runs(self) -> None:
        assert lengths(FIRST + again(FIRST) + again(FIRST, 2 * WEEK)) == [3, 3]

    def test_is_found_whole_among_many_calls_of_few_prices_and_chance_makes_hardly_another(self) -> None:
        random = Random(9)
        calls = [(random.randrange(2 * MONTH), f"{random.randrange(20)} {random.randrange(5)}") for _ in range(4000)]
        day = [call for call in calls if 40 * DAY <= call[0] < 41 * DAY]
        found = lengths(calls + again(day))
        assert max(found) >= len(day) - 2
        assert len(found) <= 2

    def test_is_not_made_by_chance_of_equal_calls_that_are_very_frequent(self) -> None:
        """One account sends the same call on and on: at any shift there is a twin."""
        for random in (Random(4), Random(5)):
            dense = [(random.randrange(2 * MONTH), "a") for _ in range(6000)]
            few = [(random.randrange(2 * MONTH), f"{random.randrange(300)}") for _ in range(1500)]
            assert runs(dense) == []
            assert runs(dense + few) == []

    def test_is_found_among_very_frequent_calls_and_has_those_that_lie_within_it(self) -> None:
        random = Random(6)
        dense = [(random.randrange(40 * DAY), "a") for _ in range(8000)]
        day = [(30 * DAY + random.randrange(DAY), f"{random.randrange(100)}") for _ in range(50)]
        sent_again = [call for call in [*dense, *day] if 30 * DAY <= call[0] < 31 * DAY]
        calls = sorted(dense + day + again(sent_again))
        (run,) = runs(calls)
        keys = [calls[pair.suspect][1] for pair in run]
        assert len(keys) - keys.count("a") == len(day)
        assert keys.count("a") > 100
        assert {round((calls[pair.suspect][0] - calls[pair.twin][0] - WEEK) / GRACE) for pair in run} <= {-1, 0, 1}

    def test_is_found_where_many_equal_calls_lie_nearer_than_its_twins(self) -> None:
        random = Random(7)
        calls = [(random.randrange(60 * DAY), f"{random.randrange(15)}") for _ in range(4000)]
        day = [call for call in calls if 30 * DAY <= call[0] < 31 * DAY]
        assert max(lengths(calls + again(day, 4 * WEEK))) >= len(day) - 5


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.sampled_from("abcdefgh")), min_size=6, max_size=24),
    st.integers(0, 2000),
    st.integers(1, 3),
)
@examples(300)
def test_no_run_begins_where_votes_are_left_out(calls: Calls, shift: int, times: int) -> None:
    """Against a slow and obvious search: every suspect with every shift to a twin."""
    ordered = sorted(calls + [(at + shift * number, key) for at, key in calls[:8] for number in range(1, times)])
    looking = RunFinder([at for at, _ in ordered], [key for _, key in ordered], 2500, 2)
    telling = [pair.suspect for pair in looking.suspects([True] * len(ordered)) if looking._evidence[pair.suspect]]
    stretches = looking._stretches(telling)
    for order, place in enumerate(telling):
        for each in looking._calls.shifts(place, 0, 2501):
            if looking.run(telling, order, each, ())[1]:
                assert any(order in found.orders and found.least <= each < found.below for found in stretches)
