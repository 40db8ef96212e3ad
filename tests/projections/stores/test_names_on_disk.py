"""A file beside the ledger's is written once its name is on disk: a power cut that takes a write-ahead log leaves half of the pages."""

import errno
from pathlib import Path

import pytest
from sqlalchemy import Connection

from domain.errors import StoreUnavailable
from projections.stores.database import Database, unavailable
from projections.stores.sqlite import LIVE
from projections.stores.sqlite_file import SQLiteFile
from tests.support.failing_folders import FailingFolders, folders

__all__ = ["folders"]


def opened(folder: Path) -> Database:
    return SQLiteFile(folder / "models.db", LIVE, unavailable("the read models"))


def write(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (x)")
    connection.exec_driver_sql("INSERT INTO t VALUES (1)")


def written(database: Database) -> int:
    with database.reading() as connection:
        found: int = connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one()
    return found


def test_while_the_folder_cannot_be_synced_nothing_is_written(tmp_path: Path, folders: FailingFolders) -> None:
    database = opened(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="Input/output error"), database.writing() as connection:
            write(connection)
    folders.error = 0
    with database.writing() as connection:
        write(connection)
    assert written(database) == 1
    database.close()


def test_the_folder_is_synced_again_once_the_file_was_closed(tmp_path: Path, folders: FailingFolders) -> None:
    folders.error = 0
    database = opened(tmp_path)
    for times in (1, 2):
        for _ in range(3):
            with database.writing() as connection:
                write(connection)
        assert folders.synced == times
        database.close()  # The last one to close deletes the write-ahead log.
    folders.error = errno.EINVAL  # Where folders cannot be synced at all, files must do.
    with database.writing() as connection:
        write(connection)
    assert written(database) == 7
    database.close()
