"""Parts made ahead come in their order, an error where its turn comes, and none is being made once it is closed."""

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest

from projections.queries.read_ahead import ReadAhead


def parts_until(failure: BaseException) -> Iterator[int]:
    yield 0
    yield 1
    raise failure


def test_parts_come_in_their_order_whatever_they_are() -> None:
    with closing(ReadAhead(iter([0, None, "", 3]))) as ahead:
        assert list(ahead) == [0, None, "", 3]


def test_the_next_part_is_made_while_one_is_worked_on() -> None:
    made = threading.Event()

    def parts() -> Iterator[int]:
        yield 0
        made.set()
        yield 1

    with closing(ReadAhead(parts())) as ahead:
        assert next(iter(ahead)) == 0
        assert made.wait(60)


def test_an_error_is_raised_where_its_turn_comes() -> None:
    with closing(ReadAhead(parts_until(OSError("gone")))) as ahead:
        found = iter(ahead)
        assert [next(found), next(found)] == [0, 1]
        with pytest.raises(OSError, match="gone"):
            next(found)


def test_as_many_parts_are_made_ahead_as_are_asked_for() -> None:
    made = threading.Semaphore(0)

    def parts() -> Iterator[int]:
        for number in count():
            made.release()
            yield number

    with closing(ReadAhead(parts(), 3)) as ahead:
        assert next(iter(ahead)) == 0
        assert all(made.acquire(timeout=60) for _ in range(4))
    assert not made.acquire(blocking=False)


def test_no_part_is_made_once_it_is_closed() -> None:
    made: list[int] = []

    def parts() -> Iterator[int]:
        for number in count():
            made.append(number)
            yield number

    ahead = ReadAhead(parts())
    assert next(iter(ahead)) == 0
    ahead.close()
    assert len(made) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]
