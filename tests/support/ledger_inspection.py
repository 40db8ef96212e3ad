"""Looking into a ledger from outside: what it holds, what it shows, and a hand that tampers with its files."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from domain.ledger import Ledger
from tests.support.command import run

NOON = "2026-10-15T12:00:00.000000Z"
SHOWN = ("calls", "cdrs", "billing", "billing-days", "exceptions")
READERS = [("status",), ("history", "--tag", "x"), ("quarantine", "list"), ("rebuild",), ("export", "cdrs")]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    """Return the ids of a list in JSON."""
    return [row["id"] for row in rows]


def head(store: str) -> int:
    """Return how many events a ledger has."""
    with Ledger(store) as ledger:
        return ledger.head()


def call_id(tag: str, src: str, ordinal: int) -> str:
    """Return a call's id by the letter of SPEC 6."""
    return str(uuid5(uuid5(NAMESPACE_DNS, "tringledger"), f'["{tag}","{src}",{ordinal}]'))


def exported(*arguments: str) -> list[str]:
    """Return all that a reader can see, once the read models have caught up."""
    return [run("export", model, *arguments).out for model in SHOWN]


def change(path: Path, statement: str) -> None:
    """Change something in a database by hand; there must be something to change."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount
