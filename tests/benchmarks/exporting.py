"""Exports of CDRs as files, against reading the same rows from SQLite with its driver alone."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from domain.ledger import Ledger
from projections.export.writer import write_export
from projections.queries.selection import Selection
from projections.schema.column_kinds import exported_columns
from projections.schema.tables import CDRS
from projections.stores.generations import open_current
from tests.benchmarks import pages
from tests.benchmarks.measure import Row, Sizes, in_turns

ROWS_AT_ONCE = 10_000


def measure_csv(sizes: Sizes) -> Row:
    """Write all CDRs as CSV."""
    return _measure(sizes, "csv", Selection(), reach=3, aim=2.25)


def measure_parquet(sizes: Sizes) -> Row:
    """Write all CDRs as Parquet."""
    return _measure(sizes, "parquet", Selection(), reach=2, aim=1.5)


def measure_xlsx(sizes: Sizes) -> Row:
    """Write the CDRs of the largest account, a tenth of all, as a workbook."""
    return _measure(sizes, "xlsx", Selection(account=pages.BIG), reach=22, aim=15)


def _measure(sizes: Sizes, form: str, selection: Selection, *, reach: float, aim: float) -> Row:
    calls = sizes.events * pages.CALLS_PER_EVENT
    written: list[int] = []
    with (
        pages.ledger_of_calls(sizes.directory / "million.db", calls) as ledger,
        closing(open_current(ledger)) as store,
    ):
        out = sizes.directory / f"cdrs.{form}"

        def export() -> None:
            written.append(write_export(ledger, store, "cdrs", selection, form, out))

        where = "account = ?" if selection.account else "? IS NULL"
        pairs = in_turns(
            sizes.runs,
            lambda _: _seconds(lambda: _read(_read_models(ledger), where, selection.account)),
            lambda _: _seconds(export),
        )
        out.unlink()
    what = f"export of {written[-1]:,} CDRs as {form}"
    return Row(what, "reading them with SQLite's driver", " s", reach, aim, pairs, at_most=True)


def _read_models(ledger: Ledger) -> Path:
    return max(Path(ledger.path).parent.glob(f"{Path(ledger.path).name}.read-*.db"))


def _read(path: Path, where: str, account: str | None) -> None:
    columns = ", ".join(column.name for column in exported_columns(CDRS))
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(f"SELECT {columns} FROM cdrs WHERE {where} ORDER BY position, call_id", (account,))
        while cursor.fetchmany(ROWS_AT_ONCE):
            pass


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
