"""Edits of a ledger's database past the program, as an older program or a hand would make them."""

import sqlite3
from contextlib import closing

import psycopg

from tests.support.database_roles import superusers


def execute(url: str, *statements: str) -> None:
    """Run statements on the tables of a ledger's store, as a superuser."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
            for statement in statements:
                file.execute(statement)
        return
    with psycopg.connect(superusers(url), options="-c search_path=tringledger") as connection:
        for statement in statements:
            connection.execute(statement.encode())


def as_made_before(url: str) -> None:
    """Make of a new ledger one of line rule 1, as programs of log schema 2 made them."""
    execute(url, "DELETE FROM ledger WHERE name = 'line_rule'")
