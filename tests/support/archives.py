"""Archives as tests make and change them."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from api.application.archive.archive_manifest import NAME, ArchiveManifest, encode_manifest, read_manifest
from api.application.archive.archive_run import Archived, archive_events
from api.application.archive.folder import ArchiveFolder
from domain.ledger import Ledger

PERIOD = "2026-10"


@contextmanager
def silent(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _done: None


def archived(ledger: Ledger, dest: Path | str, until: int | None = None, events_a_part: int = 100) -> Archived:
    """Archive a ledger up to a position, or all of it, in small parts."""
    return archive_events(ledger, str(dest), until or ledger.head(), PERIOD, silent, events_a_part=events_a_part)


def contents(dest: Path) -> dict[str, bytes]:
    """Return all files below a folder, and what is in them."""
    return {str(path.relative_to(dest)): path.read_bytes() for path in sorted(dest.rglob("*")) if path.is_file()}


def rewrite_manifest(dest: Path, **changes: Any) -> ArchiveManifest:
    """Change a manifest as somebody would who knows how its digest is made."""
    manifest = msgspec.structs.replace(read_manifest(ArchiveFolder(str(dest))), **changes)
    (dest / NAME).write_bytes(encode_manifest(manifest))
    return manifest


def rewrite_part(dest: Path, number: int, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the events of a part, and let the manifest name the file that comes of it."""
    manifest = read_manifest(ArchiveFolder(str(dest)))
    part = manifest.events[number]
    table = pq.read_table(dest / part.name)
    rows = table.to_pylist()
    change(rows)
    file = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    content = file.getvalue()
    (dest / part.name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    parts = [*manifest.events]
    parts[number] = msgspec.structs.replace(part, bytes=len(content), sha256=digest)
    rewrite_manifest(dest, events=parts)
