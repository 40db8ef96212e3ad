"""A bill run that is killed leaves no number unused and none twice, whenever it is killed; the next run makes the same documents."""

import csv
import time
from hashlib import sha256
from pathlib import Path
from random import Random
from subprocess import DEVNULL

import pytest

from domain.events.operator_events import StatementNumbered
from domain.events.streams import NUMBERS
from domain.ledger import Ledger
from domain.operators.statement_numbering import read_numbers
from tests.support.command import SECONDS_MAX, run, spawn
from tests.support.notices import line, priced_cdr, signed

MONTH, ACCOUNTS = "2024-10", 12
BILL = ("bill", MONTH, "--by", "kim", "--accept", "no party data", "-o", "bills")


@pytest.fixture(autouse=True)
def month(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of some accounts in a month."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRINGLEDGER_STORE", store)
    calls = (priced_cdr(r=number, tag=f"a{number:02}", src=f"1858{number}") for number in range(ACCOUNTS))
    run("migrate")
    run("import", "-", stdin="".join(line(signed(each), f"{MONTH}-15T12:00:00.000000Z") for each in calls))


def numbered(store: str) -> list[StatementNumbered]:
    with Ledger(store) as ledger:
        return read_numbers(ledger.history(NUMBERS)).events


def kill_once_a_file_is_there() -> None:
    process = spawn(*BILL, stderr=DEVNULL, stdout=DEVNULL)
    deadline = time.monotonic() + SECONDS_MAX
    while process.poll() is None and not list(Path("bills").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()


def kill_after(seconds: float) -> None:
    process = spawn(*BILL, stderr=DEVNULL, stdout=DEVNULL)
    time.sleep(seconds)
    process.kill()
    process.wait()


def assert_all_have_one_number(store: str) -> None:
    """Bill to the end, and check numbers, files and digests."""
    before = numbered(store)
    assert len(before) in {0, ACCOUNTS}
    said = run(*BILL)
    assert said.code == 0, said.err
    found = numbered(store)
    assert found[: len(before)] == before
    assert [each.number for each in found] == [f"2024-{number:04}" for number in range(1, ACCOUNTS + 1)]
    assert len({each.account for each in found}) == ACCOUNTS
    for row in csv.DictReader(Path("bills", "manifest.csv").read_text().splitlines()):
        assert sha256(Path("bills", f"{row['number']}.json").read_bytes()).hexdigest() == row["digest"]
        assert all(Path("bills", name).stat().st_size for name in row["files"].split())


@pytest.mark.only_on("sqlite")
def test_a_run_killed_while_it_writes_is_finished_by_the_next(store: str) -> None:
    kill_once_a_file_is_there()
    assert_all_have_one_number(store)


@pytest.mark.thorough
@pytest.mark.only_on("sqlite", "postgres")
def test_a_run_killed_at_any_moment_is_finished_by_the_next(store: str) -> None:
    chosen = Random(7)
    for _ in range(5):
        kill_after(chosen.uniform(0.3, 1.6))
    kill_once_a_file_is_there()
    assert_all_have_one_number(store)
