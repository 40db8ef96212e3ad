"""Read models belong to a log: where it has another event at their position, or none, every reader refuses them."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.application.read_model_pool import ReadModelPool
from api.application.status import ledger_status
from domain import times
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models, rebuild
from projections.export.writer import write_export
from projections.frames import billing
from projections.queries.selection import Selection
from projections.stores.generations import ReadModelsUnusable, open_current
from tests.support.command import run
from tests.support.database_roles import superusers
from tests.support.ledgers import opened, record
from tests.support.notices import GRACE, SentNotice, cdr
from tests.support.store_copies import dump

FIRST = [cdr(number * GRACE, tag=f"first-{number}", srcduration="60") for number in range(4)]
LOST = [cdr(number * GRACE, tag=f"lost-{number}", srcduration="60") for number in range(4, 7)]
OTHERS = [cdr(number * GRACE, tag=f"other-{number}", srcduration="7") for number in range(4, 40)]
CURE = ("tringledger restore", "tringledger proof fork", "tringledger rebuild")


def hear(url: str, notices: list[SentNotice], *, followed: bool = True) -> None:
    """Record notices; the read models follow, or not."""
    with opened(url) as ledger:
        record(ledger, *notices)
        if followed:
            follow(ledger)


def follow(ledger: Ledger) -> None:
    """Bring the read models up to the log's head."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


class LogAlone:
    """The log of a ledger, kept aside and put back alone, past the program's code: its read models stay as they are."""

    def __init__(self, url: str, aside: Path) -> None:
        self._url = url
        self._aside = aside
        self._rows: dict[str, list[tuple[Any, ...]]] = {}

    @property
    def _file(self) -> Path:
        return Path(self._url.removeprefix("sqlite:///"))

    def keep(self) -> None:
        if self._url.startswith("sqlite"):
            # Without its -wal: all of it was moved into the file when the last connection closed.
            shutil.copyfile(self._file, self._aside)
        else:
            self._rows = dump(self._url)

    def put_back(self) -> None:
        if self._url.startswith("sqlite"):
            shutil.copyfile(self._aside, self._file)
            for suffix in ("-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            return
        with psycopg.connect(superusers(self._url), options="-c session_replication_role=replica") as connection:
            for table, rows in self._rows.items():
                if table == "ledger":
                    continue  # The facts are those of the same ledger.
                connection.execute(f"DELETE FROM tringledger.{table}")
                for row in rows:
                    marks = ", ".join(["%s"] * len(row))
                    connection.execute(f"INSERT INTO tringledger.{table} VALUES ({marks})", row)


@pytest.fixture
def restored(store_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger whose log is older than its read models."""
    hear(store_url, FIRST)
    log = LogAlone(store_url, tmp_path / "aside.db")
    log.keep()
    hear(store_url, LOST)
    log.put_back()
    with opened(store_url) as ledger:
        yield ledger


def refusals(ledger: Ledger) -> list[str]:
    """Ask every reader; return how each refused, or fail."""

    def in_a_pool() -> None:
        with closing(ReadModelPool(ledger)) as pool, pool.session():
            pass

    with closing(open_current(ledger)) as store:
        readers: list[Callable[[], object]] = [
            lambda: catch_up(ledger, store),
            lambda: write_export(ledger, store, "billing", Selection(), "csv", BytesIO()),
            lambda: billing(ledger.url, catch_up=False),
            lambda: check_read_models(ledger),
            in_a_pool,
        ]
        said = []
        for reader in readers:
            with pytest.raises(ReadModelsUnusable) as refused:
                reader()
            said.append(str(refused.value))
        said.append(ledger_status(ledger, store, times.now(), caught_up=True).read_models.failure)
    for command in (("export", "billing"), ("export", "billing", "--no-catch-up"), ("status", "--check")):
        done = run(*command, "--store", ledger.url, TRINGLEDGER_SIGNATURE="off")
        assert done.code == 1, (command, done)
        said.append(done.err)
    return said


class TestALogThatWasRestoredFromAnOlderCopy:
    def test_is_missing_the_event_at_their_position_and_each_reader_says_which_and_what_to_do(
        self, restored: Ledger
    ) -> None:
        for said in refusals(restored):
            assert "position 7, ahead of the log's head 4" in said
            assert all(cure in said for cure in CURE)

    def test_is_never_followed_on_however_far_it_grows(self, restored: Ledger) -> None:
        for start in range(0, len(OTHERS), 12):
            record(restored, *OTHERS[start : start + 12])
            for said in refusals(restored):
                assert "the event at position 7 is not the one that they know" in said
                assert all(cure in said for cure in CURE)

    def test_has_the_right_sums_after_a_rebuild(self, restored: Ledger) -> None:
        record(restored, *OTHERS)
        rebuild(restored)
        assert check_read_models(restored).found == 0
        assert billed_calls(restored) == len(FIRST) + len(OTHERS)

    def test_is_followed_again_once_the_newer_one_is_back(self, store_url: str, tmp_path: Path) -> None:
        older, newer = (LogAlone(store_url, tmp_path / name) for name in ("older", "newer"))
        hear(store_url, FIRST)
        older.keep()
        hear(store_url, LOST)
        newer.keep()
        older.put_back()
        hear(store_url, OTHERS, followed=False)
        with opened(store_url) as ledger, pytest.raises(ReadModelsUnusable):
            billed_calls(ledger)
        newer.put_back()
        hear(store_url, OTHERS)
        with opened(store_url) as ledger:
            assert billed_calls(ledger) == len(FIRST) + len(LOST) + len(OTHERS)

    def test_shows_no_counts_that_belong_to_the_other_log(self, restored: Ledger) -> None:
        record(restored, *OTHERS)
        with closing(open_current(restored)) as store:
            found = ledger_status(restored, store, times.now(), caught_up=True)
        assert (found.read_models.rows, found.waiting) == ({}, None)


def billed_calls(ledger: Ledger) -> int:
    return int(billing(ledger.url)["calls"].sum())


class TestTwoLedgersInOneFolder:
    def test_whose_files_were_swapped_refuse_each_others_read_models(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one.db", tmp_path / "other.db"
        for path in (one, other):
            hear(f"sqlite:///{path}", FIRST)
        one.rename(tmp_path / "aside")
        other.rename(one)
        (tmp_path / "aside").rename(other)
        for path in (one, other):
            with opened(f"sqlite:///{path}") as ledger, pytest.raises(ReadModelsUnusable, match="are those of ledger"):
                follow(ledger)

    def test_of_which_one_is_a_copy_that_went_its_own_way_refuse_each_others_read_models(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one.db", tmp_path / "other.db"
        hear(f"sqlite:///{one}", FIRST)
        shutil.copyfile(one, other)
        hear(f"sqlite:///{one}", LOST)
        hear(f"sqlite:///{other}", OTHERS[: len(LOST)])
        shutil.copyfile(other, one)
        other_event = "event at position 7 is not the one"
        with opened(f"sqlite:///{one}") as ledger, pytest.raises(ReadModelsUnusable, match=other_event):
            follow(ledger)


class TestACopyWithoutItsWriteAheadLog:
    def test_is_refused_by_the_read_models_that_were_ahead_of_it(self, tmp_path: Path) -> None:
        path, copied = tmp_path / "ledger.db", tmp_path / "copied.db"
        hear(f"sqlite:///{path}", FIRST)
        with opened(f"sqlite:///{path}") as ledger:
            record(ledger, *LOST)
            follow(ledger)
            # While it is open, what is new is in the -wal alone.
            shutil.copyfile(path, copied)
            shutil.copyfile(f"{path}.read-1.db", f"{copied}.read-1.db")
        with opened(f"sqlite:///{copied}") as ledger:
            assert ledger.head() == len(FIRST)
            record(ledger, *OTHERS)
            with pytest.raises(ReadModelsUnusable, match="position 7"):
                follow(ledger)


class TestReadModelsThatCarryNoDigest:
    def test_are_rebuilt_once_and_never_adopted(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/ledger.db"
        hear(url, FIRST)
        with closing(sqlite3.connect(tmp_path / "ledger.db.read-1.db")) as file, file:
            file.execute("UPDATE progress SET digest = ''")
        with opened(url) as ledger:
            with pytest.raises(ReadModelsUnusable, match="position 4"):
                follow(ledger)
            rebuild(ledger)
            assert billed_calls(ledger) == len(FIRST)


class TestDamagedReadModels:
    @pytest.fixture
    def damaged(self, tmp_path: Path) -> str:
        """Return a ledger with a page of zeros where its CDRs are."""
        url = f"sqlite:///{tmp_path}/ledger.db"
        hear(url, [cdr(number * GRACE, r=str(number), srcduration="60", tag=f"t{number}") for number in range(60)])
        path = tmp_path / "ledger.db.read-1.db"
        with closing(sqlite3.connect(path)) as file:
            (page,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'cdrs'").fetchone()
            (size,) = file.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as raw:
            raw.seek((page - 1) * size)
            raw.write(bytes(size))
        return url

    @pytest.mark.parametrize("command", [("export", "cdrs"), ("status", "--check")])
    def test_name_their_cure_and_the_command_does_not_end_well(self, damaged: str, command: tuple[str, ...]) -> None:
        done = run(*command, "--no-catch-up", "--store", damaged, TRINGLEDGER_SIGNATURE="off")
        assert (done.code, "are damaged" in done.err, "run `tringledger rebuild`" in done.err) == (1, True, True)

    def test_are_in_order_after_a_rebuild(self, damaged: str) -> None:
        assert run("rebuild", "--store", damaged, TRINGLEDGER_SIGNATURE="off").code == 0
        assert run("export", "cdrs", "--store", damaged, TRINGLEDGER_SIGNATURE="off").code == 0

    def test_are_noted_by_whoever_read_them_until_a_rebuild(self, damaged: str) -> None:
        with opened(damaged) as ledger, closing(ReadModelPool(ledger)) as pool:
            with pytest.raises(ReadModelsUnusable), pool.session() as session:
                session.connection.exec_driver_sql("SELECT * FROM cdrs").all()
            assert "run `tringledger rebuild`" in pool.damage()
            rebuild(ledger)
            assert pool.damage() == ""
