"""``tringledger spool``: what waits is listed without the store, and the file of a dead host is replayed, once."""

from contextlib import closing
from pathlib import Path

import pytest

from api.application.spool.spool_file import SpoolFile
from api.application.spool.spool_format import SpoolRecord
from domain.ledger import Ledger
from tests.support.command import run
from tests.support.ledgers import opened
from tests.support.notices import OTHER_KEY, START, callstatus, signed

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3

pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture
def ledger_id(store: str) -> str:
    with opened(store) as ledger:
        return ledger.id


@pytest.fixture
def left(tmp_path: Path, ledger_id: str, store: str) -> Path:
    """Return a spool file with two callbacks that a dead host left."""
    (tmp_path / "spool").mkdir()
    path = tmp_path / "spool" / f"{ledger_id}-web1-1.spool"
    with opened(store) as ledger, closing(SpoolFile(path, ledger_id)) as file:
        file.append([spooled(ledger, number) for number in (1, 2)])
    return path


def spooled(ledger: Ledger, number: int, key: str | None = None) -> SpoolRecord:
    query = signed(callstatus(r=number), key) if key else signed(callstatus(r=number))
    delivery = ledger.verify_delivery(query.encode(), START + number)
    return SpoolRecord(START + number, delivery.key, delivery.notification.raw)


def test_what_waits_is_listed_also_where_there_is_no_store(left: Path, ledger_id: str) -> None:
    Path("ledger.db").unlink(missing_ok=True)
    said = run("spool", "list", "--format", "json", TRINGLEDGER_SPOOL=str(left.parent))
    assert said.code == FINDING
    assert said.json() == [
        {
            "file": str(left),
            "ledger": ledger_id,
            "callbacks": 2,
            "bytes": left.stat().st_size - 55,
            "oldest_at": "2026-10-01T12:00:00.000001Z",
            "in_use": False,
        }
    ]
    assert ledger_id in run("spool", "list", str(left.parent)).out


def test_a_directory_must_be_known() -> None:
    said = run("spool", "list")
    assert (said.code, "TRINGLEDGER_SPOOL is not set" in said.err) == (USAGE, True)


def test_the_file_of_a_dead_host_is_replayed_once_and_removed(left: Path, store: str) -> None:
    whole = left.read_bytes()
    said = run("spool", "replay", str(left))
    assert (said.code, "2 recorded" in said.err, list(left.parent.iterdir())) == (DONE, True, [])
    left.write_bytes(whole)
    assert "2 duplicate" in run("spool", "replay", str(left)).err
    with opened(store) as ledger:
        assert [ledger.notice_at(position).received_at for position in (1, 2)] == [START + 1, START + 2]
        assert ledger.head() == 2


def test_a_file_in_use_is_refused(left: Path, ledger_id: str) -> None:
    with closing(SpoolFile(left, ledger_id)):
        said = run("spool", "replay", str(left))
        assert run("spool", "list", str(left.parent), "--format", "json").json()[0]["in_use"]
    assert (said.code, "another process has it" in said.err) == (UNAVAILABLE, True)


def test_the_file_of_another_ledger_is_refused(left: Path, tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/other.db"):
        pass
    said = run("spool", "replay", str(left), "--store", f"sqlite:///{tmp_path}/other.db")
    assert (said.code, "belongs to the ledger" in said.err) == (USAGE, True)


def test_what_an_unknown_key_signed_is_quarantined_and_told(left: Path, ledger_id: str, store: str) -> None:
    with opened(store, key=OTHER_KEY) as ledger, closing(SpoolFile(left, ledger_id)) as file:
        file.append([spooled(ledger, 3, OTHER_KEY)])
    assert "1 quarantined, 2 recorded" in run("spool", "replay", str(left)).err


def test_status_tells_what_waits_and_its_check_finds_what_waits_for_long(left: Path) -> None:
    environment = {"TRINGLEDGER_SPOOL": str(left.parent)}
    said = run("status", "--check", "--missing-cdrs", "9", **environment)
    assert said.code == FINDING
    assert "2 callbacks, " in said.out
    assert "2 callbacks wait in the spool, the oldest since 2026-10-01T12:00:00.000001Z" in said.err
    assert run("status", "--format", "json", **environment).json()["spool"]["callbacks"] == 2
    run("spool", "replay", str(left))
    assert "wait in the spool" not in run("status", "--check", **environment).err
