"""``tringledger metrics``: what it shows, and in which forms."""

import csv
import io

import pytest

from tests.support.command import run
from tests.support.samples import SAMPLES

DONE, USAGE = 0, 2


@pytest.fixture(autouse=True)
def imported(store: str) -> None:
    run("import", str(SAMPLES / "adverse.ndjson"), "--store", store)


def test_all_forms_say_the_same() -> None:
    rows = run("metrics", "--format", "json").json()
    assert len(rows) > 100
    assert sum(row["attempts"] for row in rows) == len(run("export", "calls", "--format", "json").json())
    table = list(csv.DictReader(io.StringIO(run("metrics", "--format", "csv").out, newline="")))
    assert table == [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    shown = run("metrics").out.splitlines()
    assert (shown[0].split(), len(shown)) == (list(rows[0]), len(rows) + 1)


def test_an_account_and_a_month_can_be_chosen() -> None:
    rows = run("metrics", "--account", "dept-3", "--period", "2026-10", "--format", "json").json()
    assert [(row["account"], row["period"]) for row in rows] == [("dept-3", "2026-10")]
    assert run("metrics", "--account", "nobody", "--format", "json").json() == []
    assert run("metrics", "--period", "2026-1").code == USAGE
