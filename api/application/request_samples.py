"""Samples of refused requests: what callers of the notify path sent that the ledger does not accept (SPEC 9.4).

They are in a file of their own, apart from the log, readable by its owner only. The last 100 are kept, and at most ten are
written a second, by all processes together. Losing them is no fault.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from api.application.masking import shown_raw
from domain import times
from domain.errors import StoreUnavailable
from domain.log import urls
from domain.private_files import make_private

KEPT = 100
WRITTEN_A_SECOND = 10
CONTENT_BYTES_MAX = 16 * 1024
_SECRET_HEADERS = (b"authorization", b"proxy-authorization", b"cookie")

_TABLE = """CREATE TABLE IF NOT EXISTS samples (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
    status INTEGER NOT NULL, reason TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, content_type TEXT NOT NULL,
    address TEXT NOT NULL, content BLOB NOT NULL)"""
_ADD = f"""INSERT INTO samples SELECT NULL, ?1, ?, ?, ?, ?, ?, ?, ?
    WHERE (SELECT count(*) FROM samples WHERE at / {times.SECOND} = ?1 / {times.SECOND}) < {WRITTEN_A_SECOND}"""
_TRIM = f"DELETE FROM samples WHERE id <= (SELECT max(id) FROM samples) - {KEPT}"

_log = logging.getLogger(__name__)


class RequestSample(msgspec.Struct, frozen=True):
    """A refused request: when it came (microseconds, UTC), the answer's status and reason, and the request as it came.

    ``content`` are its first 16 KiB: the request line, the headers and the body, without what signs a user in.
    """

    at: int
    status: int
    reason: str
    method: str
    path: str
    content_type: str
    address: str
    content: bytes


def samples_file(store_url: str, given: Path | None) -> Path:
    """Return the file of a ledger's samples: the given one, or one next to a SQLite ledger, or in the current directory."""
    if given:
        return given
    if urls.is_postgres(store_url):
        return Path("tringledger.samples.db").absolute()
    ledger = Path(urls.sqlite_path(store_url)).absolute()
    return ledger.with_name(f"{ledger.name}.samples.db")


class RequestSamples:
    """Writes samples in a thread of its own, so that no callback waits for them."""

    def __init__(self, file: Path) -> None:
        """Write into a file, which is made with the first sample."""
        self._file = file
        self._thread = ThreadPoolExecutor(1, "samples")
        self._second, self._written = 0, 0
        self._failed = False

    def add(self, sample: RequestSample) -> None:
        """Keep a sample, unless too many came in this second."""
        second = sample.at // times.SECOND
        if second != self._second:
            self._second, self._written = second, 0
        self._written += 1
        if self._written <= WRITTEN_A_SECOND:
            self._thread.submit(self._write, sample)

    def _write(self, sample: RequestSample) -> None:
        try:
            make_private(self._file)
            with closing(sqlite3.connect(self._file, timeout=1)) as file, file:
                file.execute("PRAGMA synchronous=OFF")
                file.execute(_TABLE)
                file.execute(_ADD, msgspec.structs.astuple(sample))
                file.execute(_TRIM)
        except (sqlite3.Error, OSError) as error:
            if not self._failed:
                _log.warning("samples of refused requests cannot be written to %s: %s", self._file, error)
            self._failed = True

    def close(self) -> None:
        """Write what waits."""
        self._thread.shutdown()


def read_samples(file: Path) -> list[RequestSample]:
    """Return the samples in a file, the newest first; none where there is no file."""
    if not file.exists():
        return []
    with _opened(file) as connection:
        rows = connection.execute(
            "SELECT at, status, reason, method, path, content_type, address, content FROM samples ORDER BY id DESC"
        ).fetchall()
    return [RequestSample(*row) for row in rows]


def delete_samples(file: Path) -> int:
    """Delete all samples in a file, so that nothing of them is left in it; return how many there were. Raises StoreUnavailable."""
    if not file.exists():
        return 0
    try:
        with _opened(file) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            with connection:
                return connection.execute("DELETE FROM samples").rowcount
    except sqlite3.Error as error:
        msg = f"the samples in {file} cannot be deleted now: {error}"
        raise StoreUnavailable(msg) from error


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, timeout=1)) as connection:
        connection.execute(_TABLE)
        yield connection


def request_text(line: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return a request as it came, given its first line, without what signs somebody in; at most 16 KiB."""
    shown = [(name, b"***" if name.lower() in _SECRET_HEADERS else value) for name, value in headers]
    head = b"\r\n".join([line, *(name + b": " + value for name, value in shown)])
    return (head + b"\r\n\r\n" + body)[:CONTENT_BYTES_MAX]


def shown_content(sample: RequestSample) -> str:
    """Return a sample's content as text: bytes that are not UTF-8 escaped, and without passwords of SIP addresses."""
    lines = sample.content.split(b"\r\n")
    shown = [b" ".join(_shown_word(word) for word in line.split(b" ")) for line in lines]
    return b"\r\n".join(shown).decode(errors="backslashreplace")


def _shown_word(word: bytes) -> bytes:
    path, mark, query = word.partition(b"?")
    return path + mark + shown_raw(query) if mark else shown_raw(path)


def sample_document(sample: RequestSample) -> dict[str, Any]:
    """Return a sample as JSON has it."""
    return msgspec.structs.asdict(sample) | {"at": times.iso(sample.at), "content": shown_content(sample)}
