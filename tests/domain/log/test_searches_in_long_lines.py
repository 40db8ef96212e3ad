"""What is read at first of a long line answers most searches; whatever it cannot answer is asked of the table."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from domain.calls.correlation import CallHead
from domain.log.known_calls import KnownCalls
from domain.log.line_call_rows import row_of
from domain.log.sqlite.line_calls import PUT_CALLS, LongLine, read_line
from domain.log.sqlite.schema import SCHEMA
from domain.times import SECOND

LINE = '["sales","18585550100"]'
DAY = 86_400 * SECOND


@pytest.fixture
def cursor() -> Iterator[sqlite3.Cursor]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        yield connection.cursor()


def stored(cursor: sqlite3.Cursor, *spans: tuple[int, int]) -> KnownCalls:
    """Store the calls of a line, each from one moment to another, and begin a transaction with them."""
    heads = [CallHead(ordinal, first, last) for ordinal, (first, last) in enumerate(spans, 1)]
    cursor.executemany(PUT_CALLS, [row_of(LINE, head) for head in heads])
    return read_line(cursor, LINE)


def a_random_call(chance: random.Random) -> tuple[int, int]:
    first = chance.randrange(3 * DAY)
    return first, first + chance.choice((10 * SECOND, 2_000 * SECOND, DAY // 2, 2 * DAY))


@pytest.mark.parametrize("seed", range(20))
def test_searches_find_what_a_walk_through_all_calls_finds(seed: int, cursor: sqlite3.Cursor) -> None:
    chance = random.Random(seed)
    line = stored(cursor, *(a_random_call(chance) for _ in range(12)))
    everything = KnownCalls(LINE, [CallHead(*row[:3]) for row in calls_in(cursor)])
    for _ in range(30):
        at, width = chance.randrange(4 * DAY), chance.choice((SECOND, 600 * SECOND, DAY))
        assert line.latest_begun(at) == everything.latest_begun(at)
        assert line.overlapping(at, at + width) == everything.overlapping(at, at + width)
        ordinal = chance.randint(1, line.last_ordinal() + 1)
        assert line.last_ordinal() == everything.last_ordinal()
        for calls in (line, everything):
            calls.put(CallHead(ordinal, at, at + width))


def calls_in(cursor: sqlite3.Cursor) -> list[tuple[int, int, int]]:
    return cursor.execute("SELECT ordinal, first_at, last_at FROM line_calls ORDER BY ordinal").fetchall()


def test_a_call_of_a_long_line_that_began_last_needs_no_query_of_its_own(cursor: sqlite3.Cursor) -> None:
    line = stored(cursor, *((number * DAY, number * DAY + 60 * SECOND) for number in range(20)))
    assert isinstance(line, LongLine)
    asked: list[str] = []
    cursor.connection.set_trace_callback(asked.append)
    now = 19 * DAY + 30 * SECOND
    assert line.latest_begun(now) == CallHead(20, 19 * DAY, 19 * DAY + 60 * SECOND)
    assert [head.ordinal for head in line.overlapping(now - 300 * SECOND, now + 300 * SECOND)] == [20]
    assert line.last_ordinal() == 20
    assert asked == []
    assert [head.ordinal for head in line.overlapping(3 * DAY, 3 * DAY)] == [4]
    assert len(asked) == 1
