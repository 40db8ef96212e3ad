"""Equal calls against a slow and obvious model of them."""

from hypothesis import given
from hypothesis import strategies as st

from projections.queries.equal_calls import EqualCalls
from tests.support.effort import examples

WINDOW, GRACE = 50, 3

CALLS = st.lists(st.tuples(st.integers(0, 120), st.sampled_from("abc")), max_size=30).map(sorted)


def equal_calls(calls: list[tuple[int, str]]) -> EqualCalls:
    return EqualCalls([at for at, _ in calls], [key for _, key in calls], WINDOW, GRACE)


def twins(calls: list[tuple[int, str]], place: int) -> list[int]:
    at, key = calls[place]
    return [each for each in range(place) if calls[each][1] == key and calls[each][0] >= at - WINDOW]


@given(CALLS)
@examples(200)
def test_each_call_has_as_many_twins_as_equal_ones_lie_before_it_within_the_window(
    calls: list[tuple[int, str]],
) -> None:
    counted = equal_calls(calls)
    wanted = [twins(calls, place) for place in range(len(calls))]
    assert counted.twins == [len(each) for each in wanted]
    assert [counted.nearest_twin(place) for place, each in enumerate(wanted) if each] == [
        each[-1] for each in wanted if each
    ]


@given(CALLS, st.integers(0, 60), st.integers(1, 20))
@examples(200)
def test_the_shifts_of_a_call_are_those_to_its_twins(calls: list[tuple[int, str]], least: int, width: int) -> None:
    found = equal_calls(calls)
    for place, (at, _) in enumerate(calls):
        shifts = sorted(at - calls[twin][0] for twin in twins(calls, place))
        assert found.shifts(place, least, least + width) == [each for each in shifts if least <= each < least + width]


@given(CALLS, st.integers(0, 60), st.integers(0, 120))
@examples(200)
def test_the_twin_at_a_shift_is_the_nearest_to_it_before_a_time(
    calls: list[tuple[int, str]], shift: int, before: int
) -> None:
    found = equal_calls(calls)
    for place, (at, _) in enumerate(calls):
        off = {twin: abs(at - shift - calls[twin][0]) for twin in twins(calls, place) if calls[twin][0] < before}
        nearest = min(off.values(), default=GRACE + 1)
        twin = found.twin_at(place, shift, before)
        assert twin is None if nearest > GRACE else off.get(-1 if twin is None else twin) == nearest
