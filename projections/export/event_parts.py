"""Stored events as Parquet: each as it is stored, with the hash of its entry, readable by any program that reads Parquet."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from domain.events.log_row import LogRow

# ``stream`` is in hexadecimal digits, ``state`` the stored bytes, ``entry_hash`` the event's leaf in the tree of proofs.
SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("topic", pa.string(), nullable=False),
        pa.field("state", pa.binary(), nullable=False),
        pa.field("entry_hash", pa.binary(32), nullable=False),
    ]
)
# A row group is what is in memory at once, of a writer and of a reader.
ROWS_A_GROUP, BYTES_A_GROUP = 16_384, 16 << 20
ROWS_AT_ONCE = 2000

# What reading a file raises that is no part, or was changed.
UnreadablePart = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError)


class ArchivedEvent(NamedTuple):
    """An event as a part has it, and the hash that stands beside it."""

    row: LogRow
    entry_hash: bytes


class EventPartWriter:
    """Writes events into one part, as a context manager."""

    def __init__(self, file: BinaryIO) -> None:
        """Write into a file that is open for writing."""
        self._file = pq.ParquetWriter(file, SCHEMA, compression="zstd")
        self._columns: list[list[object]] = [[] for _ in SCHEMA]
        self._bytes = 0

    def write(self, events: Sequence[LogRow], entry_hashes: Sequence[bytes]) -> None:
        """Write the next events, each with the hash of its entry."""
        for column, values in zip(self._columns, (*zip(*events, strict=True), entry_hashes), strict=True):
            column.extend(values)
        self._bytes += sum(len(event.state) for event in events)
        if len(self._columns[0]) >= ROWS_A_GROUP or self._bytes >= BYTES_A_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        arrays = [pa.array(values, field.type) for values, field in zip(self._columns, SCHEMA, strict=True)]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        for column in self._columns:
            column.clear()
        self._bytes = 0

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what is left, and the end of the file; after an error, only let go of it."""
        try:
            if self._columns[0] and kind is None:
                self._write_group()
        finally:
            self._file.close()


def read_part(file: BinaryIO) -> Iterator[list[ArchivedEvent]]:
    """Yield the events of a part in lists; raises one of UnreadablePart, for other columns, too."""
    part = pq.ParquetFile(file)
    if not part.schema_arrow.equals(SCHEMA):
        got = ", ".join(f"{field.name} {field.type}" for field in part.schema_arrow)
        expected = ", ".join(f"{field.name} {field.type}" for field in SCHEMA)
        msg = f"the columns are {got}; expected {expected}"
        raise ValueError(msg)
    for batch in part.iter_batches(batch_size=ROWS_AT_ONCE):
        columns = [column.to_pylist() for column in batch.columns]
        yield [ArchivedEvent(LogRow(*values), leaf) for *values, leaf in zip(*columns, strict=True)]
