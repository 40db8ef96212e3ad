"""An archive has the events up to a closing, grows behind them, and is as it was whatever stops a run."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dask.dataframe
import duckdb
import pandas as pd
import pytest

from api.application.archive import archive_run
from api.application.archive.archive_manifest import ArchiveRefused, read_manifest
from api.application.archive.archive_run import ArchiveRunning
from api.application.archive.folder import ArchiveFolder
from domain.errors import MissingDriver, WrongUsage
from domain.log.file_copy import save_copy
from domain.proofs.entry import hash_events
from domain.times import DAY
from projections.proofs.proof_store import open_proofs
from tests.support.archives import archived, contents, rewrite_manifest
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus
from tests.support.provers import World, world

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture
def signed(store_url: str) -> Iterator[World]:
    """Return a ledger of 250 events with a signed tree."""
    with world(store_url) as made:
        made.record(250)
        made.run()
        yield made


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "archive"


class TestAnArchive:
    def test_has_each_event_as_it_is_stored_with_the_hash_of_its_entry(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest)
        rows = signed.ledger.store.page(0, 1000, 1000)
        read = pd.read_parquet(dest / "events")
        assert list(read.itertuples(index=False, name=None)) == [
            (*row, leaf) for row, leaf in zip(rows, hash_events(rows), strict=True)
        ]

    @pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask's own, of pandas.
    def test_is_read_by_duckdb_and_dask_without_us(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest)
        with duckdb.connect() as database:
            found = database.execute(
                "SELECT count(*), min(position), max(position), count(DISTINCT decode(state)::JSON->>'$.received_at')"
                f" FROM read_parquet('{dest}/events/*.parquet')"
            ).fetchone()
        assert found == (250, 1, 250, 250)
        frame = dask.dataframe.read_parquet(dest / "events")
        assert frame.npartitions == 3
        assert int(frame["position"].sum().compute(scheduler="synchronous")) == sum(range(251))

    def test_names_its_parts_its_facts_and_what_was_signed(self, signed: World, dest: Path) -> None:
        manifest = archived(signed.ledger, dest).manifest
        assert [(part.first, part.last) for part in manifest.events] == [(1, 100), (101, 200), (201, 250)]
        assert {"id", "created_at", "correlation", "timezone", "line_rule"} <= manifest.facts.keys()
        assert (manifest.facts["id"], manifest.position) == (signed.ledger.id, 250)
        assert [each.position for each in manifest.checkpoints] == [250]

    def test_grows_behind_what_it_has_and_changes_no_part(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest, 150)
        before = contents(dest)
        signed.record(30)
        signed.run()
        done = archived(signed.ledger, dest)
        after = contents(dest)
        assert done.added == 130
        assert {name for name in before if after[name] != before[name]} == {"manifest.json"}
        assert [part.last for part in done.manifest.events] == [100, 150, 250, 280]
        assert run("archive", "verify", str(dest)).code == 0

    def test_that_has_everything_is_not_written_again(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest)
        before = contents(dest)
        signed.record(1)
        signed.run()
        assert archived(signed.ledger, dest, 250).added == 0
        assert contents(dest) == before

    def test_has_the_ledgers_facts_as_they_are_now_so_that_what_is_erased_goes_from_it_too(
        self, signed: World, dest: Path
    ) -> None:
        with signed.ledger.store.transaction() as log:
            log.set_fact("party_1", "a name")
        assert archived(signed.ledger, dest).manifest.facts["party_1"] == "a name"
        with signed.ledger.store.transaction() as log:
            log.set_fact("party_1", "erased")
        assert archived(signed.ledger, dest).added == 0
        assert [name for name, content in contents(dest).items() if b"a name" in content] == []

    def test_can_be_anywhere_that_fsspec_knows(self, signed: World) -> None:
        address = f"memory://{signed.ledger.id}/deep"
        for until in (120, 250):
            archived(signed.ledger, address, until)
        said = run("archive", "verify", address)
        assert (said.code, "250 events" in said.err) == (0, True), said

    def test_at_an_address_of_an_unknown_kind_is_wrong_usage(self, signed: World) -> None:
        with pytest.raises(WrongUsage, match="nowhere://x cannot be used"):
            archived(signed.ledger, "nowhere://x")
        with pytest.raises(MissingDriver, match="s3fs"):
            archived(signed.ledger, "s3://bucket/x")

    def test_is_private(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest)
        assert {path.stat().st_mode & 0o777 for path in dest.rglob("*") if path.is_file()} == {0o600}

    def test_is_written_by_one_run_at_a_time(self, signed: World, dest: Path) -> None:
        with closing(signed.ledger.store.lock(archive_run.PURPOSE)) as lock:
            assert lock.acquire()
            with pytest.raises(ArchiveRunning):
                archived(signed.ledger, dest)


class TestTheCommand:
    def test_archives_up_to_the_last_closing_and_no_further(self, store_url: str, dest: Path) -> None:
        with opened(store_url) as ledger:
            record(ledger, callstatus("SRCRINGING"))
            said = run("archive", str(dest), "--store", store_url)
            assert (said.code, "no month is closed yet" in said.err) == (1, True)
            with ledger.operator_session("kim", "it is over") as session:
                session.close_month("2026-08")
            record(ledger, callstatus("SRCRINGING", DAY))
            said = run("archive", str(dest), "--store", store_url)
        assert (
            said.code,
            "2 events added; the archive has the positions 1 to 2, up to the closing of 2026-08" in said.err,
        ) == (0, True)
        assert "no signed checkpoint" in said.err


class Killed(BaseException):
    """The process ends here."""


class TestARunThatIsKilled:
    @pytest.mark.parametrize("steps", range(5))
    def test_leaves_the_archive_as_it_was_and_the_next_one_completes_it(
        self, signed: World, dest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
    ) -> None:
        left = [steps]
        archived(signed.ledger, tmp_path / "whole", 130)
        archived(signed.ledger, tmp_path / "whole")
        archived(signed.ledger, dest, 130)
        with monkeypatch.context() as patch:
            for name in ("keep", "replace"):
                patch.setattr(ArchiveFolder, name, _dying(getattr(ArchiveFolder, name), left))
            if steps < 3:
                with pytest.raises(Killed):
                    archived(signed.ledger, dest)
                (dest / ".archiving-left").mkdir()
                (dest / ".archiving-left" / "part").write_bytes(b"half")
                (dest / ".tringledger-export-left").write_bytes(b"half")
                assert read_manifest(ArchiveFolder(str(dest))).position == 130
                assert run("archive", "verify", str(dest)).code == 0
        archived(signed.ledger, dest)
        assert contents(dest) == contents(tmp_path / "whole")

    def test_before_its_first_part_can_be_begun_again(
        self, signed: World, dest: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ArchiveFolder, "keep", _dying(ArchiveFolder.keep, [0]))
            with pytest.raises(Killed):
                archived(signed.ledger, dest)
        assert run("archive", "verify", str(dest)).code == 0
        assert archived(signed.ledger, dest).added == 250

    @pytest.mark.thorough
    @pytest.mark.parametrize(  # Step 1 writes an empty manifest, steps 2 to 4 keep parts, step 5 names them.
        ("step", "moment"), [(2, "before"), (3, "after"), (5, "before")]
    )
    def test_by_kill_9_leaves_an_archive_that_the_next_one_completes(
        self, signed: World, dest: Path, tmp_path: Path, step: int, moment: str
    ) -> None:
        command = ["-m", "tests.support.archive_process", signed.ledger.url, str(dest), str(step), moment]
        done = subprocess.run([sys.executable, *command], check=False, cwd=ROOT)
        assert done.returncode == -signal.SIGKILL
        assert run("archive", "verify", str(dest)).code == 0
        archived(signed.ledger, dest)
        archived(signed.ledger, tmp_path / "whole")
        assert contents(dest) == contents(tmp_path / "whole")


def _dying(function: object, left: list[int]) -> object:
    """Return a function that ends the process at its call after so many, or right after having done its work."""

    def die(*arguments: object) -> object:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return function(*arguments)  # type: ignore[operator]

    return die


class TestAnArchiveOfSomethingElse:
    def test_is_refused_where_it_is_of_another_ledger(self, signed: World, dest: Path, tmp_path: Path) -> None:
        archived(signed.ledger, dest)
        before = contents(dest)
        with opened(f"sqlite:///{tmp_path}/other.db") as other:
            record(other, callstatus("SRCRINGING"))
            with pytest.raises(
                ArchiveRefused, match=f"archive of ledger {signed.ledger.id}; expected one of {other.id}"
            ):
                archived(other, dest)
        assert contents(dest) == before

    @pytest.mark.parametrize("proven", [True, False])
    def test_is_refused_where_it_is_of_another_history(
        self, signed: World, dest: Path, tmp_path: Path, *, proven: bool
    ) -> None:
        save_copy(Path(signed.ledger.path), tmp_path / "older.db")
        with opened(f"sqlite:///{tmp_path}/older.db") as older:
            signed.record(5)
            archived(signed.ledger, dest)
            record(older, *(callstatus("SRCANSWERED", number * DAY) for number in range(9)))
            if proven:
                with closing(open_proofs(older.url, older.id)) as store:
                    World(older, store).run()
            with pytest.raises(ArchiveRefused, match="255 events of another history"):
                archived(older, dest)

    def test_is_refused_where_the_ledger_ends_before_it(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest)
        with pytest.raises(ArchiveRefused, match="250 events of another history"):
            archived(signed.ledger, dest, 249)

    def test_is_refused_where_its_facts_are_others(self, signed: World, dest: Path) -> None:
        manifest = archived(signed.ledger, dest).manifest
        rewrite_manifest(dest, facts=manifest.facts | {"timezone": "Europe/Berlin"})
        with pytest.raises(ArchiveRefused, match="Europe/Berlin"):
            archived(signed.ledger, dest)

    def test_is_no_place_for_an_archive(self, signed: World, dest: Path) -> None:
        (dest / "events").mkdir(parents=True)
        (dest / "events" / "000000000001-000000000100.parquet").write_bytes(b"of an archive whose manifest is gone")
        before = contents(dest)
        with pytest.raises(WrongUsage, match="expected an empty folder, or an archive"):
            archived(signed.ledger, dest)
        assert contents(dest) == before

    def test_is_refused_where_a_part_is_gone_or_shorter(self, signed: World, dest: Path) -> None:
        manifest = archived(signed.ledger, dest).manifest
        part = dest / manifest.events[1].name
        part.write_bytes(part.read_bytes()[:-1])
        with pytest.raises(ArchiveRefused, match=r"000000000101-000000000200.parquet with .* bytes; got"):
            archived(signed.ledger, dest)
        part.unlink()
        with pytest.raises(ArchiveRefused, match="no such file"):
            archived(signed.ledger, dest)


def test_a_log_that_was_changed_is_not_archived(signed: World, dest: Path) -> None:
    signed.tamper("UPDATE EVENTS SET state = CAST(replace(state, 'RINGING', 'ANSWERED') AS BLOB) WHERE position = 7")
    with pytest.raises(ArchiveRefused, match="does not hold against its proofs"):
        archived(signed.ledger, dest)
    assert read_manifest(ArchiveFolder(str(dest))).position == 0


def test_a_ledger_with_a_gap_is_not_archived(signed: World, dest: Path) -> None:
    signed.tamper("DELETE FROM EVENTS WHERE position = 7")
    with pytest.raises(ArchiveRefused, match="has position 8; expected 7"):
        archived(signed.ledger, dest)
