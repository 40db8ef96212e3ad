"""A ledger of many calls whose read models are filled without a log: what pages and the API are measured on.

Half a year of calls of a thousand accounts, one of which has a tenth of them; a few are flagged, in progress or unanswered.
"""

import random
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from sqlalchemy import Connection

from domain import times
from domain.ledger import Ledger
from projections.building import billing_totals as billing
from projections.building.rollup_differences import fill_rollups
from projections.schema.tables import CALLS, CDRS, EXCEPTIONS
from projections.stores.generations import open_current
from projections.stores.upsert import put_rows

START = times.parse("2026-01-01T00:00:00Z")
SPAN = 180 * 86_400 * times.SECOND
ROWS_AT_ONCE = 20_000


class Shape(NamedTuple):
    """In how much time the calls are (microseconds), and the share of them that the first account has."""

    span: int
    of_first: float


HALF_A_YEAR, MONTH = Shape(SPAN, 0.1), Shape(31 * times.DAY, 1)
ACCOUNTS, NUMBERS = 1000, 200_000
ENDS = (
    ("ANSWERED", "COMPLETED", 70),
    ("NO ANSWER", "DESTNOTANSWERED", 18),
    ("BUSY", "DESTBUSY", 9),
    ("FAILED", "DESTNETWORKERROR", 3),
)

Row = tuple[object, ...]
Rows = tuple[Row, Row | None, Row | None]


def fill(ledger: Ledger, calls: int, shape: Shape = HALF_A_YEAR) -> None:
    """Fill a ledger's read models with so many calls, as a rebuild does it."""
    with closing(open_current(ledger)) as store, store.transaction() as connection:
        chunk: list[Rows] = []
        for row in _calls(calls, shape):
            chunk.append(row)
            if len(chunk) == ROWS_AT_ONCE:
                _put(connection, chunk)
                chunk = []
        _put(connection, chunk)
        billing.fill_billing(connection)
        fill_rollups(connection, ledger.timezone)
    with closing(open_current(ledger)) as store:
        store.finish_build()


def _put(connection: Connection, chunk: list[Rows]) -> None:
    put_rows(connection, CALLS, [call for call, _, _ in chunk])
    put_rows(connection, CDRS, [cdr for _, cdr, _ in chunk if cdr])
    put_rows(connection, EXCEPTIONS, [flag for _, _, flag in chunk if flag])


def _calls(calls: int, shape: Shape) -> Iterator[Rows]:
    draw = random.Random(7)
    ends, weights = [end[:2] for end in ENDS], [end[2] for end in ENDS]
    for number in range(calls):
        position = 3 * number + 1
        at = START + shape.span * number // calls
        account = "acme-000000" if draw.random() < shape.of_first else f"acme-{draw.randrange(ACCOUNTS):06d}"
        src = f"1858{draw.randrange(NUMBERS):07d}"
        call_id = f"{draw.getrandbits(128):032x}"
        call_id = "-".join((call_id[:8], call_id[8:12], call_id[12:16], call_id[16:20], call_id[20:]))
        disposition, status = draw.choices(ends, weights)[0]
        flags = "missing-opening" if draw.random() < 0.02 else ""
        has_cdr = draw.random() > 0.01
        seconds = draw.randrange(1, 900) if disposition == "ANSWERED" else 0
        cost = seconds * 12_345
        day = times.day(at, "UTC")
        ended = at + seconds * times.SECOND
        yield (
            (
                call_id,
                account,
                src,
                1,
                "ended",
                disposition,
                status,
                status,
                at,
                at,
                ended,
                ended,
                3,
                "",
                flags,
                int(has_cdr),
                position,
                account,
                day[:7],
            ),
            (
                call_id,
                account,
                src,
                1,
                disposition,
                status,
                at,
                at,
                ended,
                seconds,
                seconds,
                cost,
                cost,
                None,
                None,
                2 * cost,
                0,
                account,
                "",
                seconds,
                3 * cost,
                cost,
                day[:7],
                position + 2,
                flags,
                day,
                day[:7],
                0,
                0,
                "",
            )
            if has_cdr
            else None,
            (flags, position, at, call_id, account, src, 1, None, None, "", "") if flags else None,
        )
