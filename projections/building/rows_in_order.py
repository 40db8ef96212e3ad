"""Write the rows of a large build in the order of the log, whatever order they come in.

A build gets rows in the order of calls' ids, which are random, and tables are kept in the order of positions: in a large table
each row would fall on another page. So rows wait by spans of positions, beyond a few MiB in a temporary file without a name,
and each span is then written at once. The system deletes the file when the process ends, however it ends. It is smaller than the
indexes that are made after it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
from sqlalchemy import Connection

from domain.errors import StoreUnavailable
from projections.rows.projector import Row, RowBatch, as_tuples
from projections.schema.read_models import READ_MODELS

EVENTS_WORTH_ORDER = 200_000  # The tables of fewer fit into the cache, more or less.
SPAN_EVENTS = 8_192
SPANS_MAX = 512
ROWS_AT_ONCE = 20_000
WAITING_BYTES_MAX = 8 << 20
LENGTH_BYTES = 4

Write = Callable[[Connection, RowBatch], None]
Group = tuple[int, list[Row]]

_WRITTEN = [model for model in READ_MODELS if model.row and model.is_stored]
_KINDS: list[Any] = [model.row for model in _WRITTEN]
_POSITIONS = [model.table.columns.keys().index("position") for model in _WRITTEN]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Group).decode


@contextmanager
def writing_in_order(connection: Connection, write: Write, cut: int, folder: Path | None) -> Iterator[Write]:
    """Lend what writes the rows of a build up to a position: ``write`` itself, or one that lets them wait for their turn.

    They do where there are many, and a folder for a temporary file; at the end of the block all are written by ``write``.
    Raises StoreUnavailable where the file cannot be written, or be read back.
    """
    if folder is None or cut < EVENTS_WORTH_ORDER:
        yield write
        return
    waiting = _WaitingRows(cut, folder)
    try:
        yield waiting.add
        for batch in waiting.batches():
            write(connection, batch)
    finally:
        waiting.close()


class _WaitingRows:
    """The rows of a build, each with those of its span of positions, in the order in which they came.

    They are kept as MessagePack, each group of rows of one class behind its length.
    """

    def __init__(self, cut: int, folder: Path) -> None:
        """Wait for rows up to a position; raises StoreUnavailable where the folder takes no file."""
        spans = min(-(-cut // SPAN_EVENTS), SPANS_MAX)
        self._positions = cut // spans + 1
        self._folder = folder
        self._in_memory = [bytearray() for _ in range(spans)]
        self._in_file: list[list[tuple[int, int]]] = [[] for _ in range(spans)]
        self._bytes = 0
        with self._refusing():
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by ``close``

    def add(self, _connection: Connection, batch: RowBatch) -> None:
        """Let the rows of a part wait."""
        for number, kind in enumerate(_KINDS):
            at, spans = _POSITIONS[number], dict[int, list[Row]]()
            for row in as_tuples(batch.rows.get(kind, ())):
                spans.setdefault(row[at] // self._positions, []).append(row)
            for span, rows in spans.items():
                group = _encode((number, rows))
                self._in_memory[span] += len(group).to_bytes(LENGTH_BYTES) + group
                self._bytes += len(group)
        if self._bytes > WAITING_BYTES_MAX:
            self._move_to_file()

    def _move_to_file(self) -> None:
        with self._refusing():
            for waiting, pieces in zip(self._in_memory, self._in_file, strict=True):
                if waiting:
                    pieces.append((self._file.tell(), len(waiting)))
                    self._file.write(waiting)
                    waiting.clear()
            self._file.flush()
        self._bytes = 0

    def batches(self) -> Iterator[RowBatch]:
        """Yield all rows in the order of the log, a batch for each span.

        A span of very many rows has several batches, each in order. Rows of one position stay in the order in which they came.
        """
        for span in range(len(self._in_memory)):
            batch, count = RowBatch(), 0
            for number, rows in self._groups(span):
                batch.rows.setdefault(_KINDS[number], []).extend(rows)
                count += len(rows)
                if count >= ROWS_AT_ONCE:
                    yield _in_order(batch)
                    batch, count = RowBatch(), 0
            yield _in_order(batch)

    def _groups(self, span: int) -> Iterator[Group]:
        for start, size in self._in_file[span]:
            with self._refusing():
                self._file.seek(start)
                piece = self._file.read(size)
            yield from _groups_of(piece)
        yield from _groups_of(self._in_memory[span])

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = f"a temporary file for the rows of a build cannot be used in {self._folder}: {error}"
            raise StoreUnavailable(msg) from error

    def close(self) -> None:
        """Delete the file."""
        with suppress(OSError):  # What did not fit into it is written once more.
            self._file.close()


def _groups_of(data: bytes | bytearray) -> Iterator[Group]:
    start = 0
    with memoryview(data) as view:
        while start < len(view):
            begin = start + LENGTH_BYTES
            start = begin + int.from_bytes(view[start:begin])
            yield _decode(view[begin:start])


def _in_order(batch: RowBatch) -> RowBatch:
    for number, kind in enumerate(_KINDS):
        if kind in batch.rows:
            batch.rows[kind].sort(key=itemgetter(_POSITIONS[number]))
    return batch
