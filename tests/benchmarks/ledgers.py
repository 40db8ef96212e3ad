"""Ledgers to measure with: made, filled with traffic, and read back; all that is timed of them is called from here."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from domain import times
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from tests.benchmarks.traffic import FORMULA, KEY, notifications

BATCH_SIZE = 1000
SECONDS_TO_FIRST_EVENT = 30

Row = tuple[object, ...]


class LogRows(NamedTuple):
    """All rows of a log's three tables, in the order in which they came to be."""

    events: list[Row]
    delivery_keys: list[Row]
    line_calls: list[Row]


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    """Open the ledger in a file, or make it."""
    with closing(Ledger(f"sqlite:///{path}", Keyring(FORMULA, [KEY]), create=True)) as ledger:
        yield ledger


def fill(ledger: Ledger, traffic: Iterator[tuple[int, bytes]], batch_size: int = BATCH_SIZE) -> None:
    """Record all of it, in transactions of so many events."""
    while batch := list(islice(traffic, batch_size)):
        ledger.record([ledger.verify_delivery(query, at) for at, query in batch])


def filled(path: Path, events: int) -> Path:
    """Return the file of a ledger with so many events, made here unless it is there already."""
    if not path.exists():
        with opened(path) as ledger:
            fill(ledger, notifications(events))
    return path


def wait_for_events(path: Path) -> None:
    """Wait until a ledger that another process fills has its first event; raises TimeoutError."""
    deadline = time.monotonic() + SECONDS_TO_FIRST_EVENT
    with opened(path) as ledger:
        while ledger.head() == 0:
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(0.01)


def write_lines(path: Path, count: int, seed: int = 1) -> Path:
    """Write traffic to a file as ``tringledger import`` reads it."""
    with path.open("w") as file:
        for at, query in notifications(count, seed):
            file.write(json.dumps({"received_at": times.iso(at), "query": query.decode()}) + "\n")
    return path


def rows(path: Path) -> LogRows:
    """Read back what a ledger wrote."""
    with closing(sqlite3.connect(path)) as connection:
        return LogRows(
            connection.execute("SELECT * FROM stored_events ORDER BY position").fetchall(),
            connection.execute("SELECT * FROM delivery_keys ORDER BY position").fetchall(),
            connection.execute("SELECT * FROM line_calls ORDER BY first_at").fetchall(),
        )
