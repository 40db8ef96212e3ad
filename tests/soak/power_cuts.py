"""What a disk holds after a power cut: from a journal of all changes of files, the states that any moment may have left.

A write that was not synced when the power failed may be there, may be missing, and may be there in part; that goes for each
write on its own, and for names too: a file's creation, renaming or removal is sure once its folder was synced. What was
written between the beginning and the end of a sync is not covered by it. A sync that failed covers nothing; what it should have
covered counts as never written to the disk from then on, as Linux has it, unless it is written again.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

HEAD = struct.Struct("=iiqii")
WRITTEN, CUT, SYNC_BEGUN, SYNC_ENDED, CREATED, RENAMED, REMOVED = range(1, 8)
SECTOR_BYTES = 512


class Change(NamedTuple):
    """One record of a journal; ``end`` is where it ends in the journal's file."""

    kind: int
    path: str
    place: int
    data: bytes
    result: int
    end: int


class Write(NamedTuple):
    """Bytes at a place of a file; None for data: the file was cut, or grown, to that size."""

    place: int
    data: bytes | None

    def apply_to(self, content: bytearray) -> None:
        end = self.place + len(self.data or b"")
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        if self.data is None:
            del content[end:]
        else:
            content[self.place : end] = self.data


def read_journal(file: Path) -> Iterator[Change]:
    """Yield a journal's records in order; one that a killed process left half written ends them."""
    journal, start = file.read_bytes(), 0
    while start + HEAD.size <= len(journal):
        kind, path_bytes, place, data_bytes, result = HEAD.unpack_from(journal, start)
        middle = start + HEAD.size + path_bytes
        end = middle + data_bytes
        if end > len(journal):
            return
        yield Change(kind, journal[start + HEAD.size : middle].decode(), place, journal[middle:end], result, end)
        start = end


class StoredFile:
    """A file: what is sure to be on disk, and the writes since, in order."""

    def __init__(self) -> None:
        self.durable = bytearray()
        self.pending: list[Write] = []
        self._syncing: dict[int, int] = {}
        self._gone = 0

    def begin_sync(self, sync: int) -> None:
        self._syncing[sync] = self._gone + len(self.pending)

    def end_sync(self, sync: int, *, is_done: bool) -> None:
        """Make durable what was written before the sync began, or forget it for ever where the sync failed."""
        covered = max(self._syncing.pop(sync, 0) - self._gone, 0)
        for write in self.pending[:covered] if is_done else ():
            write.apply_to(self.durable)
        del self.pending[:covered]
        self._gone += covered

    def after_cut(self, chance: Random, kept: float) -> bytes:
        """Return what a power cut may leave, where each write not synced is kept with this probability; some in part."""
        content = bytearray(self.durable)
        for write in self.pending:
            if chance.random() < kept:
                is_torn = bool(write.data) and 0 < kept < 1 and chance.random() < 0.2
                (torn(write, chance) if is_torn else write).apply_to(content)
        return bytes(content)


def torn(write: Write, chance: Random) -> Write:
    """Return the beginning or the end of a write, cut where a sector ends."""
    assert write.data is not None
    sectors = [at for at in range(len(write.data)) if (write.place + at) % SECTOR_BYTES == 0]
    at = chance.choice(sectors or [0])
    return Write(write.place, write.data[:at]) if chance.random() < 0.5 else Write(write.place + at, write.data[at:])


class Disk:
    """The files of one folder as they are written, named and synced."""

    def __init__(self) -> None:
        self._names: dict[str, StoredFile] = {}
        self._durable_names: dict[str, StoredFile] = {}
        self._renamings: list[tuple[str, StoredFile | None]] = []
        self._syncing: dict[int, int] = {}

    def apply(self, change: Change) -> None:
        """Take one more record of the journal."""
        if change.kind in (CREATED, RENAMED, REMOVED):
            self._rename(change)
        elif change.kind == WRITTEN:
            self._file(change.path).pending.append(Write(change.place, change.data))
        elif change.kind == CUT:
            self._file(change.path).pending.append(Write(change.place, None))
        elif change.path in self._names:
            self._sync_file(change)
        else:
            self._sync_names(change)

    def _file(self, path: str) -> StoredFile:
        """Return a file; one that was deleted and is still open has a path of its own, which leads nowhere afterwards."""
        return self._names[path] if path in self._names else StoredFile()

    def _rename(self, change: Change) -> None:
        if change.kind == CREATED:
            self._name(change.path, StoredFile())
            return
        moved = self._names.get(change.path)
        self._name(change.path, None)
        if change.kind == RENAMED and moved:
            self._name(change.data.decode(), moved)

    def _name(self, path: str, file: StoredFile | None) -> None:
        self._renamings.append((path, file))
        put_name(self._names, path, file)

    def _sync_file(self, change: Change) -> None:
        if change.kind == SYNC_BEGUN:
            self._names[change.path].begin_sync(change.place)
        else:
            self._names[change.path].end_sync(change.place, is_done=change.result == 0)

    def _sync_names(self, change: Change) -> None:
        """Take a sync of a folder; one of a file that was deleted meanwhile changes nothing either."""
        if any(Path(path).parent == Path(change.path) for path, _ in self._renamings) and change.result == 0:
            if change.kind == SYNC_BEGUN:
                self._syncing[change.place] = len(self._renamings)
                return
            covered = self._syncing.pop(change.place, 0)
            for path, file in self._renamings[:covered]:
                put_name(self._durable_names, path, file)
            self._renamings = self._renamings[covered:]

    def after_cut(self, chance: Random) -> dict[str, bytes]:
        """Return the files, by path, as a power cut at this moment may leave them."""
        kept = chance.choice((0.0, 0.0, 1.0, 0.5, 0.9, 0.1))
        names = dict(self._durable_names)
        until = round(kept * len(self._renamings)) if kept in (0.0, 1.0) else chance.randint(0, len(self._renamings))
        for path, file in self._renamings[:until]:
            put_name(names, path, file)
        return {path: file.after_cut(chance, kept) for path, file in names.items()}


def put_name(names: dict[str, StoredFile], path: str, file: StoredFile | None) -> None:
    """Let a path lead to a file, or nowhere."""
    if file is None:
        names.pop(path, None)
    else:
        names[path] = file
