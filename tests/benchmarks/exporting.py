"""Exports of CDRs as files, against the seconds that a million may take; reading them with SQLite's driver alone is told beside."""

import sqlite3
from contextlib import closing
from pathlib import Path

from domain.ledger import Ledger
from projections.export.writer import write_export
from projections.queries.selection import Selection
from projections.schema.column_kinds import exported_columns
from projections.schema.tables import CDRS
from projections.stores.generations import open_current
from tests.benchmarks import pages
from tests.benchmarks.measure import Limit, Row, Sizes, seconds, within

ROWS_AT_ONCE = 10_000
LIMIT_OF = 1_000_000


def measure_csv(sizes: Sizes) -> Row:
    """Write all CDRs as CSV."""
    return _measure(sizes, "csv", Selection(), 6)


def measure_parquet(sizes: Sizes) -> Row:
    """Write all CDRs as Parquet."""
    return _measure(sizes, "parquet", Selection(), 4)


def measure_xlsx(sizes: Sizes) -> Row:
    """Write the CDRs of the largest account, a tenth of all, as a workbook."""
    return _measure(sizes, "xlsx", Selection(account=pages.BIG), 45)


def _measure(sizes: Sizes, form: str, selection: Selection, limit: float) -> Row:
    calls = sizes.events * pages.CALLS_PER_EVENT
    written: list[int] = []
    with (
        pages.ledger_of_calls(sizes.directory / "million.db", calls) as ledger,
        closing(open_current(ledger)) as store,
    ):
        out = sizes.directory / f"cdrs.{form}"

        def export() -> None:
            written.append(write_export(ledger, store, "cdrs", selection, form, out))

        export()
        where = "account = ?" if selection.account else "? IS NULL"
        read = seconds(lambda: _read(_read_models(ledger), where, selection.account))
        what = f"export of {written[0]:,} CDRs as {form}"
        row = within(what, Limit(limit, LIMIT_OF, written[0]), sizes.runs, lambda _: seconds(export))
        out.unlink()
    row.notes.append(f"Reading the CDRs of the {what} with SQLite's driver took {read:.2f} s.")
    return row


def _read_models(ledger: Ledger) -> Path:
    return max(Path(ledger.path).parent.glob(f"{Path(ledger.path).name}.read-*.db"))


def _read(path: Path, where: str, account: str | None) -> None:
    columns = ", ".join(column.name for column in exported_columns(CDRS))
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(f"SELECT {columns} FROM cdrs WHERE {where} ORDER BY position, call_id", (account,))
        while cursor.fetchmany(ROWS_AT_ONCE):
            pass
