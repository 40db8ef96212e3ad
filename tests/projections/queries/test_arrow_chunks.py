"""Rows that SQLite writes as lines of JSON become the same arrays as the rows themselves, whatever the values."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column

from projections.queries.arrow_chunks import arrays_of_json, arrays_of_rows
from projections.schema.column_kinds import ColumnKind, text_column, whole_column
from tests.support.effort import examples

WHOLE = st.integers(-(1 << 63), (1 << 63) - 1)
# What the log cannot hold is left out: U+0000 and lone surrogates.
TEXTS = st.text(
    st.sampled_from("an,\"'[]{}\r\n \t0-;\x7f\u2028é€😀\ufeff")
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=6,
) | st.sampled_from(("null", "[0", "\\", '\\"', "\\u0041", "0]"))
PLAIN = st.text("an,'[]{} 0-;é€😀", max_size=6)
COLUMNS: list[Column[Any]] = [
    text_column("text"),
    whole_column("number", ColumnKind.NUMBER, nullable=True),
    text_column("last"),
]
Row = tuple[str | None, int | None, str]


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def lines_of(connection: sqlite3.Connection, rows: list[Row]) -> bytes:
    written = (connection.execute("SELECT json_array(0, ?, ?, ?, 0)", row).fetchone()[0] for row in rows)
    return "\n".join(written).encode()


@given(st.lists(st.tuples(st.none() | TEXTS, st.none() | WHOLE, TEXTS), min_size=1, max_size=4))
@example([("null", None, ""), (None, 0, "null")])
@example([('"', 1, "\n")])
@examples(100)
def test_lines_become_what_their_rows_become(sqlite: sqlite3.Connection, rows: list[Row]) -> None:
    found = arrays_of_json(COLUMNS, lines_of(sqlite, rows))
    assert [each.to_pylist() for each in found] == [list(values) for values in zip(*rows, strict=True)]
    assert [each.type for each in found] == [each.type for each in arrays_of_rows(COLUMNS, rows)]


@given(st.lists(st.tuples(st.none() | PLAIN, st.none() | WHOLE, PLAIN), min_size=1, max_size=4))
@examples(50)
def test_lines_without_escapes_become_what_their_rows_become(sqlite: sqlite3.Connection, rows: list[Row]) -> None:
    found = arrays_of_json(COLUMNS, lines_of(sqlite, rows))
    assert [each.to_pylist() for each in found] == [list(values) for values in zip(*rows, strict=True)]
