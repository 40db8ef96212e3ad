"""The files of an import: given by name or pattern, or stdin; gzip is recognised by the first bytes."""

import gzip
import io
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from glob import glob, has_magic
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from api.application.importing.rows import Format, ImportedRow, WrongTable
from domain.errors import LedgerError, WrongUsage
from domain.text import escape_undecodable

STDIN = "-"
LINE_MAX_BYTES = 1024 * 1024
BUFFER_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
FIRST_LINES_MAX = 100_000
LATEST = 1 << 63


class NoSuchFile(WrongUsage):
    """A name or pattern matches no file that can be opened."""


class CutOff(LedgerError):
    """A file cannot be read to its end; everything before was read."""


class OpenedFile(NamedTuple):
    """A file's lines, a function that returns how many (compressed) bytes have been read, and one that reads the rest."""

    lines: Iterator[bytes]
    bytes_read: Callable[[], int]
    whole: Callable[[], bytes]


class ImportFile(NamedTuple):
    """A file to import; ``path`` is ``-`` for stdin, ``size`` in bytes is None if it is not known (a pipe)."""

    path: str
    size: int | None

    @property
    def name(self) -> str:
        """The name of the source: the same whether the file is compressed or not."""
        if self.path == STDIN:
            return "stdin"
        name = Path(self.path).name.removesuffix(".gz")
        return escape_undecodable(name)

    @contextmanager
    def open(self) -> Iterator[OpenedFile]:
        """Open the file for reading line by line; errors in its table get its name."""
        with self._raw() as raw:
            counted = _Counted(raw)
            plain = io.BufferedReader(counted, BUFFER_BYTES)
            compressed = plain.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            file = io.BufferedReader(_Counted(gzip.GzipFile(fileobj=plain)), BUFFER_BYTES) if compressed else plain
            try:
                yield OpenedFile(_lines(file), lambda: counted.count, lambda: _whole(file))
            except WrongTable as error:
                msg = f"{self.name}: {error}"
                raise WrongTable(msg) from None

    def _raw(self) -> AbstractContextManager[IO[bytes]]:
        if self.path == STDIN:
            return nullcontext(sys.stdin.buffer)
        try:
            return Path(self.path).open("rb")
        except OSError as error:
            msg = f"cannot open {self.path!r}: {error.strerror}"
            raise NoSuchFile(msg) from None


class _Counted(io.RawIOBase):
    """Counts the bytes read from another file, and returns everything that can be read before it fails."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read: int = self._raw.readinto1(buffer)
        self.count += read
        return read


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Read line by line; lines longer than any notification are cut. Raises CutOff."""
    try:
        while line := file.readline(LINE_MAX_BYTES):
            yield line
            while len(line) == LINE_MAX_BYTES and not line.endswith(b"\n"):
                line = file.readline(LINE_MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"it cannot be read any further: {error}"
        raise CutOff(msg) from error


def _whole(file: IO[bytes]) -> bytes:
    """Read everything; raises CutOff."""
    try:
        return file.read()
    except (OSError, EOFError, zlib.error) as error:
        msg = f"it cannot be read to its end: {error}"
        raise CutOff(msg) from error


def find_files(names: Sequence[str]) -> list[ImportFile]:
    """Return the files for names and patterns, each file once; raises NoSuchFile for one that matches none."""
    paths = dict.fromkeys(path for name in names for path in _matching(name))
    if STDIN in paths and len(paths) > 1:
        raise NoSuchFile("- (stdin) stands for itself: expected no other files")
    return [ImportFile(path, _size(path)) for path in paths]


def _matching(name: str) -> list[str]:
    if name == STDIN or Path(name).exists():
        matching = [name]
    else:
        # Not pathlib's glob, which does not support absolute patterns.
        matching = sorted(glob(name, recursive=True)) if has_magic(name) else []  # noqa: PTH207
    files = [path for path in matching if not Path(path).is_dir()]
    if not files:
        msg = f"{name!r} names no file"
        raise NoSuchFile(msg)
    return files


def _size(path: str) -> int | None:
    if path == STDIN:
        return None
    about = Path(path).stat()
    return about.st_size if stat.S_ISREG(about.st_mode) else None


def sort_by_time(files: Sequence[ImportFile], rows: Format) -> list[ImportFile]:
    """Return files in order of the time of their first notification, because calls are found in the order of recording.

    Rotated logs, for example, are listed newest first. Pipes can be read only once: if there is one, the order stays.
    """
    if len(files) == 1 or any(file.size is None for file in files):
        return list(files)
    return sorted(files, key=lambda file: _first_time(file, rows))


def _first_time(file: ImportFile, rows: Format) -> int:
    with file.open() as opened:
        try:
            firsts = islice(rows(opened.lines), FIRST_LINES_MAX)
            return next((item.notification.received_at for item in firsts if isinstance(item, ImportedRow)), LATEST)
        except CutOff:
            return LATEST
