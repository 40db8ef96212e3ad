"""Where a bill run writes: a folder, in which what is there already is left alone, or a zip file, made as a whole."""

import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from api.application.invoices.csv_text import csv_of
from api.application.invoices.document import Document
from domain import times
from projections.atomic_file import NotWritten, map_write_errors

MANIFEST = "manifest"
COLUMNS = (
    *("account", "number", "kind", "customer", "period", "corrects", "original_period", "issued_at", "due_by", "due"),
    *("exact_cents", "digest", "files"),
)
# Files of a zip have a time without zone, from 1980 on; each has that of its document's issue.
_ZIP_FIRST = (1980, 1, 1, 0, 0, 0)
TEMPORARY = ".tringledger-bill-"


class BillOutput(Protocol):
    """Takes the files of a run."""

    def has(self, entry: Document) -> bool:
        """Whether all files of a document are there, with the JSON that it must have."""

    def add(self, name: str, content: bytes, issued_at: str) -> None:
        """Add a file."""

    def finish(self, name: str, content: bytes, issued_at: str) -> None:
        """Add the last file of a document: once it is there, the document is whole."""


class FolderOutput:
    """Writes each file under a temporary name first, so that a killed run leaves no half file under a right name."""

    def __init__(self, folder: Path) -> None:
        """Write into a folder, which is made if it is missing; raises NotWritten."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_written(folder, error) from error

    def has(self, entry: Document) -> bool:  # noqa: D102
        path = self._folder / f"{entry['number']}.json"
        if not all((self._folder / name).is_file() for name in entry["files"]):
            return False
        digest: str = entry["digest"]
        return sha256(path.read_bytes()).hexdigest() == digest

    def add(self, name: str, content: bytes, issued_at: str) -> None:  # noqa: ARG002, D102
        temporary = self._folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        try:
            temporary.write_bytes(content)
            temporary.replace(self._folder / name)
        except OSError as error:
            raise _not_written(self._folder / name, error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def finish(self, name: str, content: bytes, issued_at: str) -> None:  # noqa: ARG002, D102
        # The one file that is flushed to disk; the names of those before it are, with it.
        with map_write_errors(self._folder / name, "the statement") as file:
            file.write(content)


class ZipOutput:
    """Writes a zip file, whose bytes depend on the documents alone."""

    def __init__(self, file: BinaryIO) -> None:
        """Write into an open file."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)

    def has(self, entry: Document) -> bool:  # noqa: ARG002, D102
        return False

    def add(self, name: str, content: bytes, issued_at: str) -> None:  # noqa: D102
        at = times.to_datetime(times.parse(issued_at)).timetuple()[:6] if issued_at else _ZIP_FIRST
        info = zipfile.ZipInfo(name, at)
        info.compress_type = zipfile.ZIP_DEFLATED
        self._zip.writestr(info, content)

    finish = add

    def close(self) -> None:
        """Write the zip's list of files."""
        self._zip.close()


@contextmanager
def open_output(path: Path) -> Iterator[BillOutput]:
    """Open a zip file if the name ends so, else a folder; raises NotWritten."""
    if path.suffix.lower() != ".zip":
        yield FolderOutput(path)
        return
    with map_write_errors(path, "the statements") as file, closing(ZipOutput(file)) as zipped:
        yield zipped


def manifest_csv(entries: list[Document]) -> bytes:
    """Return the manifest as CSV: account, number, amount due, digest and files of each document."""
    rows = [[*(entry[name] for name in COLUMNS[:-1]), " ".join(entry["files"])] for entry in entries]
    return csv_of(COLUMNS, rows)


def _not_written(path: Path, error: OSError) -> NotWritten:
    return NotWritten(f"the statements cannot be written to {path}: {error.strerror or os.strerror(error.errno or 0)}")
