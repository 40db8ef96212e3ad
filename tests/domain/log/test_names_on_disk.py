"""An event is promised once the name of its file is on the disk, too: SQLite looks over a folder that could not be synced."""

import errno
from pathlib import Path

import pytest

from domain.errors import StoreUnavailable
from tests.support.failing_folders import FailingFolders, folders
from tests.support.ledgers import opened, record
from tests.support.notices import cdr

__all__ = ["folders"]


def test_while_the_folder_cannot_be_synced_nothing_is_recorded(tmp_path: Path, folders: FailingFolders) -> None:
    folders.error = 0
    with opened(f"sqlite:///{tmp_path}/ledger.db"):
        pass
    folders.error = errno.EIO
    with opened(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="Input/output error"):
                record(ledger, cdr(0))
        assert ledger.head() == 0
        folders.error = 0
        record(ledger, cdr(0))
        assert ledger.head() == 1


def test_where_folders_cannot_be_synced_at_all_files_must_do(tmp_path: Path, folders: FailingFolders) -> None:
    folders.error = errno.EINVAL
    with opened(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        record(ledger, cdr(0))
        assert ledger.head() == 1


def test_the_folder_is_synced_once_for_each_log_that_is_opened(tmp_path: Path, folders: FailingFolders) -> None:
    folders.error = 0
    for times in (1, 2):
        with opened(f"sqlite:///{tmp_path}/ledger.db") as ledger:
            for number in range(3):
                record(ledger, cdr(number, r=f"{times}-{number}"))
        assert folders.synced == times
