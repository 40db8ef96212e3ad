"""The import of a file, against the rows that it leaves behind, put into the same three tables by bare ``executemany``.

The yardstick is handed its rows ready made and writes each call once, where the ledger decides and writes a call again
with each of its notices. Neither side pays for starting an interpreter.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

from eventsourcing.sqlite import SQLiteConnection

from domain.ledger import Ledger
from domain.log.sqlite.log import SQLiteLog
from tests.benchmarks import ledgers, program
from tests.benchmarks.ledgers import BATCH_SIZE, LogRows
from tests.benchmarks.measure import Row, Sizes, in_turns, per_second


def measure(sizes: Sizes) -> Row:
    """Import a file, and write its rows, in turns, each into a new store."""
    lines = ledgers.write_lines(sizes.directory / "import.ndjson", sizes.events)
    fresh = (sizes.directory / f"import-{number}.db" for number in count())
    first = next(fresh)
    _import(lines, first, sizes.events)
    rows = ledgers.rows(first)
    pairs = in_turns(
        sizes.runs,
        lambda _: per_second(sizes.events, lambda: _write(rows, next(fresh))),
        lambda _: per_second(sizes.events, lambda: _import(lines, next(fresh), sizes.events)),
    )
    return Row("import of a file", "its rows by raw executemany", "/s", 0.33, 0.45, pairs)


def _import(lines: Path, path: Path, events: int) -> None:
    with ledgers.opened(path) as ledger:
        program.import_file(ledger, lines)
        assert ledger.head() == events


def _write(rows: LogRows, path: Path) -> None:
    """Write the rows through a connection of the ledger's own making, so with the same schema and pragmas."""
    batches = -(-len(rows.events) // BATCH_SIZE)
    with ledgers.opened(path) as ledger, _connection(ledger) as connection:
        cursor = connection.cursor().sqlite_cursor
        for number in range(batches):
            cursor.execute("BEGIN IMMEDIATE")
            for table, columns, all_rows in (
                ("stored_events", 5, rows.events),
                ("delivery_keys", 2, rows.delivery_keys),
                ("line_calls", 10, rows.line_calls),
            ):
                marks = ",".join("?" * columns)
                cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", _part(all_rows, number, batches))
            cursor.execute("COMMIT")
        cursor.close()


def _connection(ledger: Ledger) -> AbstractContextManager[SQLiteConnection]:
    assert isinstance(ledger.recorder, SQLiteLog)
    return ledger.recorder.datastore.get_connection(commit=True)


def _part(rows: Sequence[Any], number: int, of: int) -> Sequence[Any]:
    return rows[len(rows) * number // of : len(rows) * (number + 1) // of]
