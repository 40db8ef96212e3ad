"""Read models as pandas DataFrames, for notebooks: ``frames.cdrs("sqlite:///tringledger.db", period="2026-10")``.

Their types are Arrow's, exact and compact: amounts are decimals (never floats), times are UTC, phone numbers are texts.
Parquet files have the same types.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Column

from domain.amounts import PLACES
from domain.ledger import Ledger
from projections.building.as_of import kinds_of, open_as_of
from projections.building.catch_up import catch_up as bring_up
from projections.building.partitions import SequentialFolding
from projections.queries.arrow_chunks import arrow_chunks
from projections.queries.conditions import build_selection
from projections.queries.log_points import resolve_point
from projections.queries.row_stream import ROWS_AT_ONCE, RowStream, open_row_stream
from projections.queries.time_points import Moment
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.stores.generations import ReadStore, open_current

if TYPE_CHECKING:
    import pandas as pd

# Sums have no bound as single amounts have, so they get all digits that decimals may have.
_MILLIONTHS = pa.decimal128(38, PLACES)

TYPES: dict[ColumnKind, Any] = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.NUMBER: pa.int64(),
    ColumnKind.AMOUNT: pa.decimal128(18, PLACES),
    ColumnKind.TOTAL: _MILLIONTHS,
    ColumnKind.TIME: pa.timestamp("us", tz="UTC"),
    ColumnKind.BOOLEAN: pa.bool_(),
}


class FrameReader:
    """Reads one read model of a ledger into a DataFrame."""

    def __init__(self, model: str) -> None:
        """Read the read model of this name."""
        self.model = model

    def __repr__(self) -> str:
        return f"Frame({self.model!r})"

    def __call__(
        self,
        store_url: str,
        *,
        tag: str | None = None,
        account: str | None = None,
        since: Moment = None,
        until: Moment = None,
        through: Moment = None,
        period: str | None = None,
        catch_up: bool = True,
        as_of: int | str | date | None = None,
    ) -> pd.DataFrame:
        """Return the rows of the read model in the ledger at a store URL such as ``sqlite:///tringledger.db``.

        ``since``, ``until`` (excluded) and ``through`` (taken in, instead of ``until``) are days, months, or times with their offset, as texts or as Python's own
        types; days and months begin in the ledger's billing time zone. ``period`` is a month ``YYYY-MM``. The read
        models first catch up with the log, unless ``catch_up`` is False, or this is a standby or a role that may only read. With ``as_of`` (a position of the log, or a day,
        month or time) you get the rows that the ledger had then: they are built anew from the log, in a temporary file.
        Raises NoLedger, SelectionError, StoreUnavailable.
        """
        with closing(Ledger(store_url)) as ledger:
            selection = build_selection(
                self.model,
                tag=tag,
                account=account,
                since=since,
                until=until,
                through=through,
                period=period,
                timezone=ledger.timezone,
            )
            with (
                _store(ledger, self.model, as_of, catch_up=catch_up) as store,
                open_row_stream(ledger, store, self.model, selection) as rows,
            ):
                return _frame(rows)


calls = FrameReader("calls")
cdrs = FrameReader("cdrs")
billing = FrameReader("billing")
billing_days = FrameReader("billing-days")
voicemails = FrameReader("voicemails")
channels = FrameReader("channels")
exceptions = FrameReader("exceptions")
resolutions = FrameReader("resolutions")
postings = FrameReader("postings")
entries = FrameReader("entries")
closings = FrameReader("closings")
tariffs = FrameReader("tariffs")
operator_events = FrameReader("operator-events")


@contextmanager
def _store(ledger: Ledger, model: str, as_of: int | str | date | None, *, catch_up: bool) -> Iterator[ReadStore]:
    if as_of is not None:
        folding = SequentialFolding(kinds_of(model))
        with open_as_of(ledger, resolve_point(ledger, as_of).position, folding=folding) as store:
            yield store
        return
    with closing(open_current(ledger)) as store:
        if catch_up and store.can_write():
            bring_up(ledger, store)
        yield store


def _frame(rows: RowStream) -> pd.DataFrame:
    # Parquet files are written from the same batches without pandas, which takes half a second to load.
    import pandas as pd  # noqa: PLC0415

    table = pa.Table.from_batches(arrow_batches(rows), arrow_schema(rows))
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def arrow_schema(rows: RowStream) -> pa.Schema:
    """Return the Arrow types of the columns of rows."""
    return pa.schema(
        [pa.field(column.name, TYPES[column_kind(column)], nullable=bool(column.nullable)) for column in rows.columns]
    )


def arrow_batches(rows: RowStream, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[pa.RecordBatch]:
    """Yield rows as Arrow batches, one for each chunk."""
    types = arrow_schema(rows)
    for arrays in arrow_chunks(rows, rows_at_once):
        typed = [_typed(column, stored) for column, stored in zip(rows.columns, arrays, strict=True)]
        yield pa.RecordBatch.from_arrays(typed, schema=types)


def _typed(column: Column[Any], stored: pa.Array) -> pa.Array:
    kind = column_kind(column)
    if kind in (ColumnKind.AMOUNT, ColumnKind.TOTAL):
        return decimals(stored, TYPES[kind])
    return stored.cast(TYPES[kind]) if kind is ColumnKind.BOOLEAN else stored.view(TYPES[kind])


def decimals(millionths: pa.Array, kind: Any = _MILLIONTHS) -> pa.Array:
    """Turn whole millionths into decimals of a type: only the point is set, so nothing is rounded.

    Arrow's own casts take five times as long. Raises ArrowInvalid where a number has more digits than the type.
    """
    end = millionths.offset + len(millionths)
    if not end:
        return pa.array([], kind)
    are_there, data = millionths.buffers()
    whole = np.frombuffer(data, np.int64, end)
    # A decimal has 128 bits: the 64 of the number, then 64 that repeat its sign.
    halves = np.empty((end, 2), np.int64)
    halves[:, 0] = whole
    np.right_shift(whole, 63, out=halves[:, 1])
    limit = 10**kind.precision
    fits = -limit < int(whole.min()) <= int(whole.max()) < limit
    decimal = pa.Array.from_buffers(
        kind if fits else _MILLIONTHS,
        len(millionths),
        [are_there, pa.py_buffer(halves)],
        millionths.null_count,
        millionths.offset,
    )
    return decimal if fits else decimal.cast(kind)
