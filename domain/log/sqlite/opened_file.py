"""A ledger's file as it was opened: whether it, its write-ahead log and what it holds are still the same.

Two things take a file away while its device and inode stay: another file that is copied over it (`cp backup.db ledger.db`),
and a write-ahead log that is deleted (`rm ledger.db-wal`), which SQLite keeps writing where no one finds it again. A copy
shows in the main file, looked at past SQLite and its caches: checkpoints alone change it, and by them it never loses events.
"""

import os
from datetime import timedelta
from pathlib import Path
from threading import Lock
from time import sleep
from typing import ClassVar, NamedTuple

HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_WAL_VERSIONS = b"\2\2"
_INTERIOR, _LEAF = 0x05, 0x0D
_DEPTH_MAX = 20
_VARINT_BYTES_MAX = 9
_LOOKS, _PAUSE = 5, timedelta(milliseconds=10)


class FileLook(NamedTuple):
    """What the main file shows: its schema's number, its change counter, its size, the last position (None: cannot be told)."""

    schema: int
    counter: int
    bytes: int
    head: int | None

    def lost_since(self, earlier: "FileLook") -> str:
        """Say what is less than it was before; empty where nothing is."""
        if self.schema < earlier.schema:
            return f"its schema has number {self.schema}, and had {earlier.schema}"
        if self.counter < earlier.counter:
            return f"its change counter is {self.counter}, and was {earlier.counter}"
        # Only VACUUM makes a file smaller, and that changes the schema's number.
        if self.bytes < earlier.bytes and self.schema == earlier.schema:
            return f"it has {self.bytes} bytes, and had {earlier.bytes}"
        if self.head is not None and earlier.head is not None and self.head < earlier.head:
            return f"it ends at position {self.head}, and ended at {earlier.head}"
        return ""


class MainFile:
    """The main file of one ledger, read past SQLite.

    Closing any descriptor of a file gives up all locks that the process has on it, SQLite's among them: so there is one
    for all who look at the file, and the last of them closes it.
    """

    _open: ClassVar[dict[tuple[int, int], tuple[int, int]]] = {}
    _lock: ClassVar[Lock] = Lock()

    def __init__(self, path: Path, root: int) -> None:
        """Look at the file at ``path``, whose table of events begins on page ``root``."""
        found = path.stat()
        self._key = (found.st_dev, found.st_ino)
        self.root = root
        with self._lock:
            descriptor, users = self._open.get(self._key) or (os.open(path, os.O_RDONLY | os.O_CLOEXEC), 0)
            self._open[self._key] = (descriptor, users + 1)
        self._descriptor = descriptor
        self._seen: FileLook | None = None
        self._seen_at = 0

    def close(self) -> None:
        """Let go of the file; call it once the connections to it are closed."""
        with self._lock:
            descriptor, users = self._open.pop(self._key)
            if users > 1:
                self._open[self._key] = (descriptor, users - 1)
            else:
                os.close(descriptor)

    def find_loss(self, changed_at: int) -> str:
        """Say what the file has lost since the last look; empty where nothing is lost, or cannot be told.

        ``changed_at`` is when the file was changed last: unless that has moved, nothing needs a look.
        """
        if changed_at == self._seen_at:
            return ""
        found, loss = self._look()
        # A checkpoint that is under way shows old pages next to new ones for a moment.
        for _ in range(_LOOKS if loss else 0):
            sleep(_PAUSE.total_seconds())
            found, loss = self._look()
            if not loss:
                break
        if found and found.head is not None and not loss:
            self._seen, self._seen_at = found, changed_at
        return loss

    def _look(self) -> tuple[FileLook | None, str]:
        header = os.pread(self._descriptor, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
            return None, "it no longer begins as a database does"
        if header[18:20] != _WAL_VERSIONS:
            return None, "it is no longer in write-ahead mode"
        size = int.from_bytes(header[16:18]) or 1
        page_bytes = 65536 if size == 1 else size  # As the file's format has it.
        head = self._read_head(page_bytes)
        file_bytes = os.fstat(self._descriptor).st_size
        found = FileLook(int.from_bytes(header[40:44]), int.from_bytes(header[24:28]), file_bytes, head)
        return found, found.lost_since(self._seen) if self._seen else ""

    def _read_head(self, page_bytes: int) -> int | None:
        """Follow the table's last pages down to its last row; None where a page on the way is not one of such a table."""
        number = self.root
        for _ in range(_DEPTH_MAX):
            page = os.pread(self._descriptor, page_bytes, (number - 1) * page_bytes)
            if len(page) < page_bytes or page[0] not in (_INTERIOR, _LEAF):
                return None
            if page[0] == _LEAF:
                return _last_row_id(page)
            number = int.from_bytes(page[8:12])
        return None


def _last_row_id(page: bytes) -> int | None:
    """Return the id of the last row of a leaf page; 0 where it has no row."""
    cells = int.from_bytes(page[3:5])
    if not cells:
        return 0
    start = int.from_bytes(page[6 + 2 * cells : 8 + 2 * cells])
    _, start = _read_varint(page, start)  # The row's size comes first.
    found, end = _read_varint(page, start)
    return found if end <= len(page) else None


def _read_varint(page: bytes, start: int) -> tuple[int, int]:
    """Read a number as SQLite writes it: seven bits a byte, eight in the ninth; return it and where it ends."""
    value = 0
    for place, byte in enumerate(page[start : start + _VARINT_BYTES_MAX], 1):
        if place == _VARINT_BYTES_MAX:
            return value << 8 | byte, start + place
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, start + place
    return value, len(page) + 1
