"""Where an archive is: a folder, or any address that fsspec knows, such as ``s3://bucket/prefix``.

Files are written once and never changed, except for the manifest, which is replaced as a whole.
"""

import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from domain.errors import MissingDriver, StoreUnavailable, WrongUsage
from domain.log import urls
from domain.private_files import open_new
from projections.atomic_file import PREFIX, sync_to_disk, write_whole

# Begins the name of what is not finished.
STAGED = ".archiving-"


class ArchiveFolder:
    """The files of one archive, by their names below its address; methods raise StoreUnavailable."""

    def __init__(self, address: str) -> None:
        """Use an address; nothing is made yet. Raises WrongUsage for an unknown kind, MissingDriver without its package."""
        self.name = urls.redacted(address)
        try:
            self._files, self._root = url_to_fs(address)
        except ImportError as error:
            msg = f"the archive {self.name} needs a package that is not installed: {error}"
            raise MissingDriver(msg) from error
        except ValueError as error:
            msg = f"the archive {self.name} cannot be used: {error}; expected a folder or an address that fsspec knows"
            raise WrongUsage(msg) from error
        self._is_local = isinstance(self._files, LocalFileSystem)

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)

    @contextmanager
    def _map_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = f"the archive {self.name} cannot be {what}: {error.strerror or error}"
            raise StoreUnavailable(msg) from error

    def sizes(self) -> dict[str, int]:
        """Return the names of all files, with their sizes in bytes; none where there is no such folder."""
        with self._map_errors("read"):
            self._files.invalidate_cache()
            found: dict[str, Any] = self._files.find(self._root, detail=True) if self._files.exists(self._root) else {}
            return {posixpath.relpath(path, self._root): int(each["size"]) for path, each in found.items()}

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None if there is none."""
        with self._map_errors("read"):
            path = self._path(name)
            return bytes(self._files.cat_file(path)) if self._files.exists(path) else None

    @contextmanager
    def open(self, name: str) -> Iterator[Any]:
        """Open a file for reading, at any place in it."""
        with self._map_errors("read"), self._files.open(self._path(name), "rb") as file:
            yield file

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Return the path of a new local file to write, for `keep`; it is gone at the end, whatever happens."""
        with self._map_errors("written"):
            home = self._root if self._is_local else None
            if home:
                Path(home).mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=STAGED, dir=home))
            try:
                yield folder / "part"
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def keep(self, staged: Path, name: str) -> None:
        """Give a file that was written, and is whole, its name in the archive, on disk."""
        with self._map_errors("written"):
            if not self._is_local:
                self._files.put_file(str(staged), self._path(name))
                return
            target = Path(self._path(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            sync_to_disk(staged)
            staged.replace(target)
            sync_to_disk(target.parent)
            sync_to_disk(target.parent.parent)

    def replace(self, name: str, content: bytes) -> None:
        """Write a small file, or replace it as a whole."""
        with self._map_errors("written"):
            if not self._is_local:
                self._files.pipe_file(self._path(name), content)
                return
            Path(self._root).mkdir(parents=True, exist_ok=True)
            with write_whole(Path(self._path(name))) as file:
                file.write(content)

    def remove(self, name: str) -> None:
        """Delete a file, and its folder if nothing is left in it."""
        with self._map_errors("written"):
            self._files.rm_file(self._path(name))
        if self._is_local:
            with suppress(OSError):
                Path(self._path(name)).parent.rmdir()


def is_left_over(name: str) -> bool:
    """Whether a file is what a run that was killed has not finished."""
    return name.startswith((STAGED, PREFIX))


def create_private(path: Path) -> BinaryIO:
    """Open a new file for writing that its owner alone can read: events have phone numbers."""
    return os.fdopen(open_new(path), "wb")
