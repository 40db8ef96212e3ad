"""An archive is checked without its ledger, and whatever was changed in it is named."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.application.archive.archive_manifest import ArchivedCheckpoint, ArchiveRefused, find_manifest, read_manifest
from api.application.archive.folder import ArchiveFolder
from domain.log.file_copy import save_copy
from domain.proofs.entry import hash_events
from domain.proofs.frontier import Frontier
from domain.proofs.keys import SigningKey
from domain.proofs.tree import GrowingTree
from tests.support.archives import archived, rewrite_manifest, rewrite_part
from tests.support.command import Said, run
from tests.support.ledgers import opened
from tests.support.provers import KEY, World, world

pytestmark = pytest.mark.only_on("sqlite")
VKEY = KEY.verifier.text
OTHER = SigningKey("tringledger.example/test", bytes(range(1, 33)))


@pytest.fixture
def signed(store_url: str) -> Iterator[World]:
    """Return a ledger of 130 events, with checkpoints of 60 and 120."""
    with world(store_url) as made:
        for _ in range(2):
            made.record(60)
            made.run()
        made.record(10)
        yield made


@pytest.fixture
def dest(signed: World, tmp_path: Path) -> Path:
    """Return an archive of 90 events, which a checkpoint of 120 covers."""
    archived(signed.ledger, tmp_path / "archive", 90, events_a_part=40)
    return tmp_path / "archive"


def verified(dest: Path, *options: str) -> Said:
    return run("archive", "verify", str(dest), *options)


def as_file(signed: World, size: int, file: Path) -> str:
    """Write a kept checkpoint into a file, as it has left the house."""
    with signed.store.reading() as rows:
        file.write_bytes(next(kept.note for kept in rows.checkpoints(1) if kept.size == size))
    return str(file)


def change_state(row: dict[str, Any]) -> None:
    row["state"] = row["state"].replace(b"RINGING", b"ANSWERED")


class TestAnArchiveThatHolds:
    def test_says_how_far_it_is_signed(self, dest: Path) -> None:
        said = verified(dest, "--key", VKEY)
        assert (said.code, "90 events, 1 checkpoints, which cover the positions 1 to 90\n" in said.err) == (0, True), (
            said
        )
        assert "by the key that it names itself" in verified(dest).err
        document = verified(dest, "--format", "json").json()
        assert (document["holds"], document["position"], document["signed"]) == (True, 90, 90)

    def test_is_covered_as_far_as_the_last_checkpoint_goes(self, signed: World, dest: Path) -> None:
        archived(signed.ledger, dest)
        assert verified(dest, "--format", "json").json() | {"root": 0, "ledger": 0, "period": 0} == {
            "holds": True,
            "ledger": 0,
            "position": 130,
            "root": 0,
            "period": 0,
            "checkpoints": 2,
            "signed": 120,
            "found": 0,
            "findings": [],
        }

    def test_has_all_that_an_older_checkpoint_covers(self, signed: World, dest: Path, tmp_path: Path) -> None:
        said = verified(dest, "--checkpoint", as_file(signed, 60, tmp_path / "older"), "--key", VKEY)
        assert (said.code, "2 checkpoints" in said.err) == (0, True), said
        said = verified(dest, "--checkpoint", as_file(signed, 120, tmp_path / "newer"), "--key", VKEY)
        assert (said.code, "covers 120 events, and the archive has 90" in said.out) == (1, True), said


class TestAByteThatWasChanged:
    def test_is_found_in_every_part_of_a_file_and_the_file_is_named(self, dest: Path) -> None:
        part = dest / "events" / "000000000041-000000000080.parquet"
        whole = part.read_bytes()
        for place in range(0, len(whole), 211):
            changed = bytearray(whole)
            changed[place] ^= 1
            part.write_bytes(changed)
            said = verified(dest)
            assert (said.code, f"{part.name} is not the file that the manifest names" in said.out) == (1, True), place
        part.write_bytes(whole)
        assert verified(dest).code == 0

    def test_is_found_in_every_place_of_the_manifest(self, dest: Path) -> None:
        path = dest / "manifest.json"
        whole = path.read_bytes()
        for place in range(0, len(whole), 7):
            changed = bytearray(whole)
            changed[place] ^= 1
            path.write_bytes(changed)
            with pytest.raises(ArchiveRefused):
                find_manifest(ArchiveFolder(str(dest)))
        said = verified(dest)
        assert (said.code, "manifest.json" in said.err) == (1, True)

    def test_is_named_by_its_position_where_the_file_was_written_anew(self, dest: Path) -> None:
        rewrite_part(dest, 1, lambda rows: change_state(rows[6]))
        said = verified(dest)
        assert (said.code, said.out.startswith("the event at position 47 is not the one that was archived")) == (
            1,
            True,
        )

    def test_is_found_by_the_root_where_its_hash_fits(self, dest: Path) -> None:
        def change(rows: list[dict[str, Any]]) -> None:
            change_state(rows[6])
            (rows[6]["entry_hash"],) = hash_events([tuple(rows[6].values())[:5]])

        rewrite_part(dest, 1, change)
        said = verified(dest)
        assert (said.code, "000000000041-000000000080.parquet leads to the root" in said.out) == (1, True)

    def test_is_found_by_the_checkpoint_where_all_of_the_archive_was_made_to_fit(
        self, signed: World, dest: Path, tmp_path: Path
    ) -> None:
        genuine = read_manifest(ArchiveFolder(str(dest)))
        save_copy(Path(signed.ledger.path), tmp_path / "forged.db")
        with closing(sqlite3.connect(tmp_path / "forged.db")) as file, file:
            file.execute(
                "UPDATE stored_events SET state = CAST(replace(state, 'RINGING', 'ANSWERED') AS BLOB) WHERE position = 47"
            )
        with opened(f"sqlite:///{tmp_path}/forged.db") as forged:
            archived(forged, tmp_path / "forged", 90)
        assert verified(tmp_path / "forged").code == 0, "nothing signed is there to tell"
        rewrite_manifest(tmp_path / "forged", checkpoints=genuine.checkpoints, vkey=genuine.vkey)
        said = verified(tmp_path / "forged")
        assert (said.code, "the checkpoint of 120 events does not hold" in said.out) == (1, True), said

    @pytest.mark.parametrize("change", ["swap", "drop", "repeat"])
    def test_is_named_where_events_are_out_of_place(self, dest: Path, change: str) -> None:
        def move(rows: list[dict[str, Any]]) -> None:
            if change == "swap":
                rows[3], rows[4] = rows[4], rows[3]
            elif change == "drop":
                del rows[3]
            else:
                rows.insert(3, rows[3])

        rewrite_part(dest, 0, move)
        said = verified(dest)
        position = {"swap": "5 stands where 4", "drop": "5 stands where 4", "repeat": "4 stands where 5"}[change]
        assert (said.code, f"the event at position {position} was expected" in said.out) == (1, True), said.out

    def test_is_named_where_a_part_is_gone_or_is_no_parquet(self, dest: Path) -> None:
        (dest / "events" / "000000000001-000000000040.parquet").write_bytes(b"x")
        (dest / "events" / "000000000081-000000000090.parquet").unlink()
        said = verified(dest)
        assert said.code == 1
        assert "000000000001-000000000040.parquet cannot be read behind position 0" in said.out
        assert "000000000081-000000000090.parquet is missing" in said.out

    def test_is_named_where_a_part_is_no_longer_in_the_manifest(self, dest: Path) -> None:
        manifest = read_manifest(ArchiveFolder(str(dest)))
        rewrite_manifest(dest, events=[manifest.events[0], manifest.events[2]])
        assert "begins with position 81; expected 41" in verified(dest).out


class TestACheckpoint:
    def test_of_another_key_does_not_hold(self, dest: Path) -> None:
        said = verified(dest, "--key", OTHER.verifier.text)
        assert (said.code, "the archive's checkpoint does not hold" in said.out) == (1, True)

    def test_that_covers_other_events_does_not_hold(self, dest: Path) -> None:
        kept = read_manifest(ArchiveFolder(str(dest))).checkpoints[0]
        hashes = [*kept.hashes[:-1], "00" * 32]
        rewrite_manifest(dest, checkpoints=[ArchivedCheckpoint(90, kept.note, hashes)])
        assert "the checkpoint of 120 events does not hold" in verified(dest).out


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    said = verified(tmp_path)
    assert (said.code, "is not an archive: it has no manifest.json" in said.err) == (1, True)
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode({"format": "tringledger-archive/2"}))
    said = verified(tmp_path)
    assert "has the format 'tringledger-archive/2'; expected 'tringledger-archive/1'" in said.err


def test_a_frontier_has_the_roots_of_the_whole_tree() -> None:
    leaves = [sha256(bytes([number])).digest() for number in range(40)]
    whole, frontier = GrowingTree(), Frontier()
    for leaf in leaves:
        assert frontier.root() == whole.root()
        whole.append([leaf])
        frontier = Frontier(frontier.size, frontier.peaks)
        frontier.append([leaf])
    assert (frontier.size, frontier.root()) == (40, whole.root())
