"""The stores agree: whatever comes, in whatever batches, each gives the same answers and keeps the same rows.

SQLite asks its tables about every notice; PostgreSQL fetches beforehand and decides in memory. So long lines, old
notices, calls that turn out to have begun earlier, repeated notices and a full quarantine are what is tried here.
"""

import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path
from random import Random

import psycopg
import pytest

from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.log.contract import Log
from domain.log.urls import sqlite_path
from domain.notices.signature import Keyring
from domain.outcomes import RecordOutcome
from tests.support.notices import GRACE, KEY, START, SentNotice, callstatus, cdr, notice, signed

STATUSES = ("SRCANSWERED", "SRCANSWERED", "SRCFAILED", "COMPLETED", "DESTBUSY", "USERDTMFINPUT", "RINGING")
TAGS = ("long", "long", "long", "short", "Zürich")
EVER = 1 << 62


def some_notice(chance: Random, number: int) -> SentNotice:
    """Return a notice of one of few lines, of any kind, from anywhere in a long time."""
    near = chance.random() < 0.5
    at = (number if near else chance.randrange(400)) * GRACE // 3 + chance.randrange(3)
    kind, tag, r = chance.random(), chance.choice(TAGS), str(chance.randrange(200) if kind_repeats(chance) else number)
    if kind < 0.3:
        return cdr(at, chance.choice((None, "COMPLETED", "SRCFAILED")), tag=tag, r=r, srcduration=chance.choice("12"))
    if kind < 0.85:
        return callstatus(chance.choice(STATUSES), at, tag=tag, r=r, p="1")
    if kind < 0.9:
        return cdr(at, tag=tag, r=r, srccharge="broken" + chance.choice("ab"))
    return notice(at, type=chance.choice(("voicemail", "deletechannel", "fax")), email=tag, r=r)


def kind_repeats(chance: Random) -> bool:
    return chance.random() < 0.3


def some_batches(chance: Random) -> list[list[tuple[bytes, int]]]:
    """Return batches of notices as they come over the wire; some come again, some are signed with a wrong key."""
    sent: list[tuple[bytes, int]] = []
    batches = []
    for start in range(0, 900, 30):
        batch = []
        for number in range(start, start + chance.choice((1, 3, 30))):
            notice = some_notice(chance, number)
            key = "wrong" if chance.random() < 0.12 else KEY
            batch.append((signed(notice.pairs, key, "md5-r-key").encode(), notice.at))
            if sent and chance.random() < 0.1:
                batch.append(chance.choice(sent))
        sent += batch
        batches.append(batch)
    return batches


def answers(ledger: Ledger, batches: list[list[tuple[bytes, int]]]) -> list[list[RecordOutcome]]:
    """Record batch after batch."""
    return [ledger.record([ledger.verify_delivery(raw, at) for raw, at in batch]) for batch in batches]


def opened(url: str) -> Ledger:
    terms = LedgerOptions(quarantine_max=9)
    return Ledger(url, Keyring("md5-r-key", [KEY]), terms, create=True, clock=lambda: START)


def kept(log: Log) -> tuple[object, object]:
    return log.page(0, 10_000, 10_000), list(log.quarantined(settled=True))


@pytest.mark.parametrize("seed", range(6))
def test_any_traffic_becomes_the_same_on_every_store(tmp_path: Path, database: str, seed: int) -> None:
    batches = some_batches(Random(seed))
    file = f"sqlite:///{tmp_path}/ledger.db"
    with closing(opened(file)) as one, closing(opened(database)) as other:
        assert answers(one, batches) == answers(other, batches)
        assert kept(one.store) == kept(other.store)
        assert one.head() > 50
    assert line_calls_of_postgres(database) == line_calls_of_sqlite(file)


@pytest.mark.parametrize("seed", range(6, 9))
def test_how_it_is_divided_into_batches_changes_nothing(database: str, tmp_path: Path, seed: int) -> None:
    batches = some_batches(Random(seed))
    alone = [[each] for batch in batches for each in batch]
    with closing(opened(f"sqlite:///{tmp_path}/ledger.db")) as one, closing(opened(database)) as other:
        assert list(chain(*answers(one, alone))) == list(chain(*answers(other, batches)))
        assert kept(one.store) == kept(other.store)


def line_calls_of_postgres(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT * FROM tringledger.line_calls ORDER BY line, ordinal").fetchall()


def line_calls_of_sqlite(url: str) -> list[object]:
    with closing(sqlite3.connect(sqlite_path(url))) as connection:
        return connection.execute("SELECT * FROM line_calls ORDER BY line, ordinal").fetchall()
