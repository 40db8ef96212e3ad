"""A line of many calls gets the same calls however many of its notices share a transaction."""

import random

import pytest

from domain.events.streams import call_id
from domain.ledger import Ledger
from domain.log.sqlite.line_calls import SHORT_LINE_CALLS_MAX
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, SRC, SentNotice, callstatus, cdr

CALLS = SHORT_LINE_CALLS_MAX + 16
# The first batch of 36 makes the line long, so that the second finds it so.
SIZES = (1, 4, 36, 1000)


def notices(seed: int, tag: str) -> list[SentNotice]:
    """Return the notices of many calls of one line, some near each other and some far, nearly in order or in none."""
    chance, at, found = random.Random(seed), 0, list[SentNotice]()
    for number in range(CALLS):
        at += chance.choice((40, 200, 700, 90_000)) * SECOND
        whole = [
            callstatus("SRCANSWERED", at, tag=tag, r=f"{number}a"),
            callstatus(chance.choice(("COMPLETED", "DESTBUSY")), at + 30 * SECOND, tag=tag, r=f"{number}b"),
            cdr(at + 31 * SECOND, tag=tag, r=f"{number}c", destduration=str(number % 5), destcharge=str(number % 3)),
        ]
        found += chance.sample(whole, chance.choice((1, 2, 3)))
    late = chance.choice((0, 500, 2_000, 1_000_000)) * SECOND
    return sorted(found, key=lambda sent: (sent.at + chance.randint(0, late), sent))


def calls_of(ledger: Ledger, tag: str) -> list[list[str]]:
    """Return which notices each call of a line has, by their random numbers."""
    streams = [call_id((tag, SRC), ordinal) for ordinal in range(1, ledger.last_ordinal((tag, SRC)) + 1)]
    rows = [ledger.history(stream) for stream in streams]
    return [[dict(ledger.notice_at(row.position).params)["r"] for row in each] for each in rows]


@pytest.mark.parametrize("seed", range(8))
def test_more_than_eight_calls_with_notices_out_of_order_are_the_same_whatever_the_batch_size(
    seed: int, store_url: str
) -> None:
    with opened(store_url) as ledger:
        for size in SIZES:
            found = notices(seed, f"by {size}")
            for start in range(0, len(found), size):
                record(ledger, *found[start : start + size])
        first, *others = (calls_of(ledger, f"by {size}") for size in SIZES)
        assert len(first) > SHORT_LINE_CALLS_MAX
        assert others == [first] * len(others)
