"""A disk on which folders cannot be synced: what SQLite looks over, and a power cut does not."""

import errno
import os
import stat

import pytest


class FailingFolders:
    """What takes the place of ``os.fsync``: syncs of files work, those of folders fail with an error, if there is one."""

    def __init__(self) -> None:
        self.error = errno.EIO
        self.synced = 0
        self._sync = os.fsync

    def __call__(self, descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            self.synced += 1
        self._sync(descriptor)


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> FailingFolders:
    """Let folders fail to sync until the test says otherwise."""
    made = FailingFolders()
    monkeypatch.setattr(os, "fsync", made)
    return made
