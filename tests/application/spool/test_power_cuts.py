"""The spool after a power cut at any step: nothing that was answered is lost, and nothing else is made of what is left."""

from pathlib import Path
from random import Random

import pytest

from api.application.spool.spool_file import SpoolFile
from api.application.spool.spool_format import SpoolRecord
from tests.support.recorded_disk import Contents, RecordedDisk

ID = "8a6e0804-2bd0-4672-b79d-d97027f9071a"
NAME = "one.spool"


def live(disk: RecordedDisk, random: Random, steps: int) -> None:
    """Use a spool as a service does: put callbacks in, take them out, end and begin again."""
    number, file = 0, SpoolFile(disk.folder / NAME, ID)
    for _ in range(steps):
        match random.choice(("put", "put", "take", "take", "begin again", "remove")):
            case "put":
                batch = [record(number + each, random) for each in range(random.randint(1, 4))]
                number += len(batch)
                disk.note("tried", batch)
                file.append(batch)
                disk.note("answered", batch)
            case "take" if file.holds:
                placed = file.next_batch(random.randint(1, 5))
                disk.note("logged", [each.record for each in placed])
                file.mark_done(placed)
            case "remove" if not file.holds:
                file.remove_if_empty()
                file.close()
                file = SpoolFile(disk.folder / NAME, ID)
            case _:
                file.close()
                file = SpoolFile(disk.folder / NAME, ID)
    file.close()


def record(number: int, random: Random) -> SpoolRecord:
    return SpoolRecord(number, number.to_bytes(32), random.randbytes(random.choice((0, 3, 40, 5000))))


def found_in(left: Contents, folder: Path) -> list[SpoolRecord]:
    """Return what the next process finds, after it has put one more in and was ended."""
    folder.mkdir()
    for name, content in left.items():
        (folder / name).write_bytes(content)
    more = SpoolRecord(10**6, bytes(32), b"more")
    file = SpoolFile(folder / NAME, ID)
    found = [placed.record for placed in file.next_batch(10**6)]
    file.append([more])
    file.close()
    again = SpoolFile(folder / NAME, ID)
    assert [placed.record for placed in again.next_batch(10**6)] == [*found, more]
    again.close()
    return found


def noted(disk: RecordedDisk, what: str, until: int) -> list[SpoolRecord]:
    return [each for step in disk.steps[:until] if step.what == what for each in step.noted]


def lived(folder: Path, seed: int) -> RecordedDisk:
    folder.mkdir()
    disk = RecordedDisk(folder)
    with disk.recording():
        live(disk, Random(seed), 30)
    return disk


def lost(disk: RecordedDisk, until: int, found: list[SpoolRecord]) -> set[SpoolRecord]:
    """Return what was answered after so many steps and is neither found nor in the log."""
    return set(noted(disk, "answered", until)) - set(noted(disk, "logged", until)) - set(found)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(2, 16))])
def test_after_a_power_cut_what_was_answered_is_in_the_spool_or_in_the_log(tmp_path: Path, seed: int) -> None:
    disk, random = lived(tmp_path / "disk", seed), Random(seed)
    for until in range(len(disk.steps) + 1):
        for cut in range(3):
            found = found_in(disk.after_power_cut(until, random), tmp_path / f"cut-{until}-{cut}")
            assert not lost(disk, until, found), until
            assert set(found) <= set(noted(disk, "tried", until))
            assert [each.received_at for each in found] == sorted(each.received_at for each in found)
    assert len(disk.steps) > 50


def test_a_spool_that_did_not_sync_would_be_found_out(tmp_path: Path) -> None:
    disk = lived(tmp_path / "disk", 1)
    first = next(number for number, step in enumerate(disk.steps) if (step.what, step.name) == ("sync", NAME))
    later = [step for step in disk.steps[first + 1 :] if (step.what, step.name) != ("sync", NAME)]
    disk.steps[first + 1 :] = later
    cuts = ((until, disk.after_power_cut(until, Random(until))) for until in range(first + 2, len(disk.steps)))
    assert any(lost(disk, until, found_in(left, tmp_path / f"cut-{until}")) for until, left in cuts)
