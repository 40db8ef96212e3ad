"""The lines of JSON that a database makes of rows are those that we make, byte for byte; where it cannot, rows are fetched."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, Table, Text

from projections.building import row_lines
from projections.building.comparison import _digest_rows, compare_read_models
from projections.building.digests import TableDigest
from projections.building.row_lines import digest_equal_tables
from projections.schema.rollups import COMPARED_TABLES
from projections.schema.tables import CDRS
from projections.stores.base import ReadStore
from projections.stores.generations import generations, open_current
from projections.stores.upsert import put_rows
from tests.support.ledgers import opened

# Every character up to the punctuation of Chinese, and some beyond the plane; PostgreSQL's texts have no NUL.
CHARACTERS = [*map(chr, range(1, 0x3100)), "\N{REPLACEMENT CHARACTER}", "\N{GRINNING FACE}", "\U0010ffff"]
TEXTS = ["", "NULL", "\\", '\\"', "1.0", *("".join(CHARACTERS[at : at + 7]) for at in range(0, len(CHARACTERS), 7))]
NUMBERS = (0, -1, 1, 2**63 - 1, -(2**63), 2**63 - 1, 2**32, -(2**32) - 1)


@pytest.fixture
def read_store(store_url: str) -> Iterator[ReadStore]:
    """Return empty read models."""
    with opened(store_url) as ledger, closing(open_current(ledger)) as found:
        yield found


def rows(table: Table) -> Iterator[tuple[object, ...]]:
    """Return rows of odd texts and numbers, with NULL where it is allowed."""
    for number, text in enumerate(TEXTS, 1):
        yield tuple(
            (f"{number}{text}" if isinstance(column.type, Text) else number) if column.primary_key
            else None if column.nullable and (number + place) % 3 == 0
            else text if isinstance(column.type, Text)
            else NUMBERS[(number + place) % len(NUMBERS)]
            for place, column in enumerate(table.columns)
        )  # fmt: skip


def said(digest: TableDigest | None) -> tuple[object, ...]:
    assert digest
    return digest.rows, digest.digest, digest.sums


def fill(connection: Connection) -> None:
    for table in COMPARED_TABLES.values():
        put_rows(connection, table, list(rows(table)))


def test_the_digest_is_that_of_the_rows_whatever_they_hold(read_store: ReadStore) -> None:
    with read_store.transaction() as connection:
        fill(connection)
        for table in COMPARED_TABLES.values():
            assert said(digest_equal_tables(table, connection)) == said(_digest_rows(table, connection))
            assert said(digest_equal_tables(table, connection, connection)) == said(_digest_rows(table, connection))
        assert said(digest_equal_tables(CDRS, connection))[0] == len(TEXTS)


def test_tables_that_differ_have_none(read_store: ReadStore) -> None:
    with read_store.transaction() as connection:
        put_rows(connection, CDRS, list(rows(CDRS))[:10])
    with read_store.snapshot() as live, read_store.transaction() as fresh:
        assert live.execute(CDRS.select()).first()
        fresh.execute(CDRS.delete().where(CDRS.c.position == 10))
        assert digest_equal_tables(CDRS, fresh, live) is None
        assert digest_equal_tables(CDRS, live, fresh) is None
        assert compare_read_models(live, fresh).found == 1


@pytest.mark.only_on("sqlite")
def test_a_table_that_holds_what_json_does_not_have_is_compared_by_its_rows(read_store: ReadStore) -> None:
    with read_store.transaction() as connection:
        put_rows(connection, CDRS, list(rows(CDRS))[:3])
        connection.exec_driver_sql("UPDATE cdrs SET tag = X'00ff' WHERE position = 2")
    with read_store.snapshot() as live, read_store.transaction() as fresh:
        live.execute(CDRS.select()).first()
        fresh.execute(CDRS.update().where(CDRS.c.position == 2).values(tag="sales"))
        assert digest_equal_tables(CDRS, live) is None
        (difference,) = compare_read_models(live, fresh).differences
    assert (difference.column, difference.live, difference.fresh) == ("tag", b"\0\xff", "sales")


@pytest.fixture
def fresh_store(store_url: str) -> Iterator[ReadStore]:
    """Return another generation of read models, empty as well."""
    with opened(store_url) as ledger, closing(generations(ledger).open(2)) as found:
        yield found


@pytest.mark.only_on("sqlite")
def test_sqlite_compares_two_files_itself_and_the_digests_are_the_same(
    read_store: ReadStore, fresh_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for store in (read_store, fresh_store):
        with store.transaction() as connection:
            fill(connection)
    monkeypatch.setattr(row_lines, "_add_equal", None)
    with read_store.snapshot_with_fresh(fresh_store) as live, fresh_store.snapshot() as fresh:
        for table in COMPARED_TABLES.values():
            assert said(digest_equal_tables(table, fresh, live)) == said(_digest_rows(table, fresh))
        assert compare_read_models(live, fresh).found == 0


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cdrs SET price = price - 1 WHERE position = 7",
        "UPDATE cdrs SET answered_at = coalesce(answered_at + 1, 0) WHERE position = 7",
        "UPDATE cdrs SET level = CAST('x' AS BLOB) WHERE position = 7",
        "DELETE FROM cdrs WHERE position = 7",
        "UPDATE cdrs SET call_id = 'another' WHERE position = 7",
        "UPDATE cdrs SET tag = tag || char(0) WHERE position = 7",
    ],
)
@pytest.mark.parametrize("in_live", [True, False])
def test_sqlite_sees_each_difference_between_two_files(
    read_store: ReadStore, fresh_store: ReadStore, change: str, *, in_live: bool
) -> None:
    for store in (read_store, fresh_store):
        with store.transaction() as connection:
            put_rows(connection, CDRS, list(rows(CDRS))[:10])
    with (read_store if in_live else fresh_store).transaction() as connection:
        connection.exec_driver_sql(change)
    with read_store.snapshot_with_fresh(fresh_store) as live, fresh_store.snapshot() as fresh:
        assert row_lines._is_attached(live)
        assert digest_equal_tables(CDRS, fresh, live) is None
        assert compare_read_models(live, fresh).found == (2 if "call_id" in change else 1)


@pytest.mark.only_on("sqlite")
def test_files_at_different_positions_are_not_compared_by_sqlite(read_store: ReadStore, fresh_store: ReadStore) -> None:
    with read_store.transaction() as connection:
        read_store.set_position(connection, 7, "")
    with read_store.snapshot_with_fresh(fresh_store) as live:
        assert not row_lines._is_attached(live)
    with read_store.snapshot() as live:
        assert "fresh" not in str(live.exec_driver_sql("PRAGMA database_list").all())
