"""A spool file on a disk that fails, is full, loses power or is somebody else's."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from api.application.spool.spool_file import ForeignSpool, SpoolFile, SpoolLocked, SpoolUnusable
from api.application.spool.spool_format import HEADER_BYTES, SpoolRecord, encode_header, encode_record

ID = "8a6e0804-2bd0-4672-b79d-d97027f9071a"


def records(*numbers: int) -> list[SpoolRecord]:
    return [SpoolRecord(number, number.to_bytes(32), b"f=tm&r=%d" % number) for number in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "one.spool"


@contextmanager
def opened(path: Path, ledger: str = ID) -> Iterator[SpoolFile]:
    with closing(SpoolFile(path, ledger)) as file:
        yield file


def pending(file: SpoolFile) -> list[SpoolRecord]:
    return [placed.record for placed in file.next_batch(1000)]


class TestAnUndisturbedFile:
    def test_it_gives_back_what_was_put_in_also_to_the_next_process(self, path: Path) -> None:
        with opened(path) as file:
            assert (file.holds, pending(file)) == (False, [])
            file.append(records(1, 2))
            file.append(records(3))
            assert (file.holds, pending(file)) == (True, records(1, 2, 3))
        with opened(path) as file:
            assert (file.cut, pending(file)) == (0, records(1, 2, 3))

    def test_what_is_in_the_log_is_not_given_again(self, path: Path) -> None:
        with opened(path) as file:
            file.append(records(1, 2, 3))
            file.mark_done(file.next_batch(2))
            assert pending(file) == records(3)
        with opened(path) as file:
            assert pending(file) == records(3)

    def test_it_is_emptied_once_all_is_in_the_log_and_used_again(self, path: Path) -> None:
        with opened(path) as file:
            file.append(records(1, 2))
            file.mark_done(file.next_batch(9))
            assert path.read_bytes() == encode_header(ID)
            file.append(records(4))
        with opened(path) as file:
            assert pending(file) == records(4)
            file.mark_done(file.next_batch(9))
            file.remove_if_empty()
        assert list(path.parent.iterdir()) == []

    def test_its_owner_alone_can_read_it(self, path: Path) -> None:
        with opened(path) as file:
            file.append(records(1, 2))
            file.mark_done(file.next_batch(1))
            assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}

    def test_one_process_has_it(self, path: Path) -> None:
        with opened(path), pytest.raises(SpoolLocked, match="in use"):
            SpoolFile(path, ID)
        with opened(path):
            pass


class TestAForeignFile:
    def test_the_spool_of_another_ledger_is_refused_and_unchanged(self, path: Path) -> None:
        other = ID.replace("8", "9")
        with opened(path, other) as file:
            file.append(records(1))
        before = path.read_bytes()
        with pytest.raises(ForeignSpool, match=f"belongs to the ledger {other}; expected one of the ledger {ID}"):
            SpoolFile(path, ID)
        assert path.read_bytes() == before

    def test_what_is_no_spool_is_refused_and_unchanged(self, path: Path) -> None:
        path.write_bytes(b"x" * 100)
        with pytest.raises(ForeignSpool, match="no spool: expected it to begin with TRINGSPOOL1"):
            SpoolFile(path, ID)
        assert path.read_bytes() == b"x" * 100


class TestAfterACrash:
    @pytest.mark.parametrize("header", [b"", encode_header(ID)[:20], bytes(HEADER_BYTES)])
    def test_a_file_without_a_whole_header_begins_anew_whatever_a_mark_says(self, path: Path, header: bytes) -> None:
        with opened(path) as file:
            file.append(records(1, 2))
            file.mark_done(file.next_batch(1))  # Leaves a mark, on the end of a record.
        path.write_bytes(header)
        with opened(path) as file:
            file.append(records(1, 2))
        with opened(path) as file:
            assert pending(file) == records(1, 2)

    @pytest.mark.parametrize("rest", [b"\0", bytes(5000), encode_record(records(3)[0])[:-1]])
    def test_the_rest_of_a_write_that_was_never_answered_is_cut_off(self, path: Path, rest: bytes) -> None:
        with opened(path) as file:
            file.append(records(1, 2))
        with path.open("ab") as end:
            end.write(rest)
        with opened(path) as file:
            assert (file.cut, pending(file)) == (len(rest), records(1, 2))
            file.append(records(3))
            assert pending(file) == records(1, 2, 3)
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_damage_before_whole_records_is_kept_in_a_file_of_its_own(self, path: Path) -> None:
        with opened(path) as file:
            file.append(records(1, 2, 3))
            middle = file.next_batch(3)[1]
        whole = path.read_bytes()
        with path.open("r+b") as damaged:
            damaged.seek(middle.start + 12)
            damaged.write(b"\xff")
        with opened(path) as file:
            assert pending(file) == records(1)
        kept = path.with_suffix(".damaged-1")
        assert kept.read_bytes().endswith(whole[middle.end :])
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    @pytest.mark.parametrize("mark", [b"", b"torn", bytes(12)])
    def test_a_torn_mark_means_that_all_is_given_again(self, path: Path, mark: bytes) -> None:
        with opened(path) as file:
            file.append(records(1, 2))
            file.mark_done(file.next_batch(1))
        path.with_suffix(".done").write_bytes(mark)
        with opened(path) as file:
            assert pending(file) == records(1, 2)


class TestADiskThatFails:
    @pytest.fixture(params=["pwrite", "fdatasync"])
    def failing(
        self, request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[SpoolFile]:
        """Give a file with record 1 whose next write or sync fails, as on a full disk."""

        def fail(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with opened(path) as file:
            file.append(records(1))
            with monkeypatch.context() as patched:
                patched.setattr(os, request.param, fail)
                with pytest.raises(SpoolUnusable, match="cannot be written: No space left on device"):
                    file.append(records(2))
            yield file

    def test_what_was_refused_is_not_in_it_and_it_is_not_trusted(self, failing: SpoolFile) -> None:
        assert (failing.is_trusted, failing.path.stat().st_size, pending(failing)) == (False, failing.size, records(1))

    def test_opened_anew_it_is_used_again(self, failing: SpoolFile, path: Path) -> None:
        failing.close()
        with opened(path) as file:
            file.append(records(3))
            assert pending(file) == records(1, 3)
        failing._file = os.open(path, os.O_RDONLY)  # For the fixture to close.

    def test_an_untrusted_file_is_drained_and_stays_untrusted(self, failing: SpoolFile) -> None:
        failing.mark_done(failing.next_batch(9))
        assert (failing.holds, failing.is_trusted) == (False, False)

    def test_short_writes_are_completed(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = os.pwrite
        with opened(path) as file:
            monkeypatch.setattr(os, "pwrite", lambda to, data, at: write(to, data[:7], at))
            file.append(records(1, 2))
        monkeypatch.undo()
        with opened(path) as file:
            assert pending(file) == records(1, 2)

    def test_a_mark_that_cannot_be_written_when_the_file_was_emptied_keeps_it_from_being_used(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(path) as file:
            file.append(records(1, 2))
            file.mark_done(file.next_batch(1))
            with monkeypatch.context() as patched:
                patched.setattr(file._mark, "write", self.refuse)
                with pytest.raises(SpoolUnusable):
                    file.mark_done(file.next_batch(1))
            assert not file.is_trusted
        with opened(path) as file:
            file.append(records(1, 2))  # As long as those before: the old mark would fit.
        with opened(path) as file:
            assert pending(file) == records(1, 2)

    @staticmethod
    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
