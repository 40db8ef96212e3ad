"""``python -m tests.benchmarks``: measure what docs/explanation/performance.md tells, and print one table.

The exit code is 0 once everything was measured, whatever the figures are, and 1 where something could not be.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import (
    accounting,
    beside,
    billing,
    callbacks,
    catching_up,
    database,
    distance,
    exporting,
    first_bytes,
    growth,
    importing,
    live,
    looking,
    memory,
    pages,
    proving,
    rebuilding,
    saving,
    scraping,
    table,
)
from tests.benchmarks.measure import Row, Sizes

GROWTH: dict[str, Callable[[Sizes], Row]] = {
    "memory": memory.measure,
    "memory-spread": memory.measure_spread,
    "memory-verify": memory.measure_check,
    "memory-backup": memory.measure_backup,
    "growth-record": growth.measure_record,
    "growth-callbacks": growth.measure_callbacks,
    "growth-rebuild": growth.measure_rebuild,
    "growth-catch-up": growth.measure_catch_up,
}
DEFAULT: dict[str, Callable[[Sizes], Row]] = {
    "callbacks": callbacks.measure,
    "callbacks-postgres": callbacks.measure_postgres,
    "callbacks-postgres-2": callbacks.measure_two_workers,
    "live": live.measure,
    "pages": pages.measure,
    "sums": pages.measure_sums,
    "sums-cold": pages.measure_cold_sums,
    "pages-by-price": pages.measure_by_price,
    "first-bytes": first_bytes.measure,
    "export-csv": exporting.measure_csv,
    "export-parquet": exporting.measure_parquet,
    "export-xlsx": exporting.measure_xlsx,
    "statement": accounting.measure_statement,
    "import": importing.measure,
    "import-postgres": database.measure_import,
    "beside-import": beside.measure,
    "rebuild": rebuilding.measure,
    "rebuild-alone": rebuilding.measure_alone,
    "rebuild-beside-one": rebuilding.measure_beside_one,
    "rebuild-from-nothing": rebuilding.measure_from_nothing,
    "rebuild-dask": rebuilding.measure_dask,
    "rebuild-dask-postgres": database.measure_rebuild_on_dask,
    "catch-up": catching_up.measure,
    "catch-up-postgres": database.measure_catch_up,
    "rerate-preview": accounting.measure_preview,
    "rerate": accounting.measure_rerating,
    "bill": billing.measure,
    "bill-from-nothing": billing.measure_from_nothing,
    "reconcile": accounting.measure_reconciliation,
    "as-of": accounting.measure_as_of,
    "suspects": looking.measure_suspects,
    "suspects-dense": looking.measure_dense_suspects,
    "suspects-postgres": looking.measure_suspects_on_postgres,
    "status": looking.measure_status,
    "status-postgres": looking.measure_status_on_postgres,
    "vacuum": database.measure_vacuum,
    "entries-postgres": database.measure_entries,
    "prover": proving.measure_recording,
    "prover-callbacks": proving.measure_callbacks,
    "metrics": scraping.measure,
    "proof-check": proving.measure_check,
    "bundle": proving.measure_bundle,
    "backup": saving.measure,
    "beside-backup": beside.measure_backup,
    **GROWTH,
}
LARGE: dict[str, Callable[[Sizes], Row]] = {
    **GROWTH,
    "rebuild-from-nothing-large": rebuilding.measure_from_nothing,
    "rerate-large": accounting.measure_rerating,
    "reconcile-large": accounting.measure_reconciliation,
    "long-line": distance.measure_line,
    "long-log": distance.measure_log,
}
ALL = DEFAULT | LARGE
EVENTS, EVENTS_LARGE, EVENTS_QUICK = 100_000, 10_000_000, 2_000
# Of larger logs, these rows measure so many events: reconciling means 200,000 records then, rerating 20,000 calls.
EVENTS_MAX = dict.fromkeys([*GROWTH, "rebuild-from-nothing-large"], 1_000_000)
EVENTS_MAX |= {"reconcile-large": 690_000, "rerate-large": 69_000}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure, and print one table.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one run: shows that it works, no more")
    parser.add_argument(
        "--large", action="store_true", help="what needs large logs, in place of the others: takes long"
    )
    parser.add_argument("--only", choices=ALL, metavar="NAME", help=f"only one of {', '.join(ALL)}")
    parser.add_argument("--runs", type=int, help="how many pairs to measure (5)")
    parser.add_argument("--events", type=int, help=f"size of the log ({EVENTS:,}; --large: {EVENTS_LARGE:,})")
    parser.add_argument("--dir", type=Path, help="where to make the files (the system's temporary directory)")
    parser.add_argument("--json", action="store_true", help="print JSON, with every pair")
    return parser.parse_args(arguments)


def sizes(given: argparse.Namespace, directory: Path) -> Sizes:
    """Return how much to measure."""
    large = given.large or (given.only in LARGE and given.only not in DEFAULT)
    events = given.events or (EVENTS_QUICK if given.quick else EVENTS_LARGE if large else EVENTS)
    if given.quick:
        return Sizes(directory, given.runs or 1, events, library_events=300, requests=400, connections=8)
    return Sizes(directory, given.runs or 5, events, library_events=5_000, requests=20_000, connections=64)


def measured(names: Sequence[str], how: Sizes) -> list[Row]:
    """Measure one after the other; what fails is told and left out."""
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        fitting = how._replace(events=min(how.events, EVENTS_MAX.get(name, how.events)))
        try:
            rows.append(ALL[name](fitting))
        except Exception:  # noqa: BLE001 - one that fails must not cost the others their figures
            traceback.print_exc()
    return rows


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return the exit code."""
    given = options(arguments)
    names = [given.only] if given.only else list(LARGE if given.large else DEFAULT)
    with tempfile.TemporaryDirectory(prefix="tringledger-bench-", dir=given.dir) as directory:
        how = sizes(given, Path(directory))
        rows = measured(names, how)
        if given.json:
            print(table.as_json(rows, how))
        else:
            print(table.markdown(rows), *("\n" + note for note in table.notes(rows, how)), sep="\n")
    return 0 if len(rows) == len(names) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
