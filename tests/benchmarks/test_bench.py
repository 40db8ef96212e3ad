"""The benchmarks run: every row of the default table gets its figures. How fast is for ``make bench`` to say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.thorough
def test_a_quick_run_measures_every_row_of_the_table() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [" ".join(row["what"].split()[:3]) for row in rows] == [
        "callbacks, durable, signature",
        "callbacks on PostgreSQL,",
        "callbacks on PostgreSQL,",
        "callbacks while 200",
        "the slowest page",
        "the slowest sums",
        "the slowest sums",
        "the slowest page",
        "the first byte",
        "export of 19,803",
        "export of 19,803",
        "export of 1,985",
        "statement of 1,985",
        "import of a",
        "import of a",
        "99th percentile of",
        "rebuild of all",
        "rebuild of all",
        "rebuild, a process",
        "rebuild where there",
        "rebuild of all",
        "rebuild on PostgreSQL,",
        "catch-up from position",
        "catch-up from position",
        "rerating 587 calls,",
        "rerating 587 calls",
        *["bill run of"] * 2,
        "reconciliation of 587",
        "the read models",
        *["suspects of a"] * 3,
        "status on SQLite",
        "status on PostgreSQL",
        "99th percentile of",
        "the slowest page",
        "import of a",
        "callbacks with the",
        "callbacks with metrics,",
        "proof verify",
        "bundle of a",
        "backup of 2,000",
        "99th percentile of",
        *["peak memory of"] * 4,
        *["record, transactions of"] * 2,
        "rebuild, CPU per",
        "catch-up, CPU per",
    ]
    for row in rows:
        assert row["ours"] > 0
        assert row["its"] > 0
        assert row["ratio"] > 0
