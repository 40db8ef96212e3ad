"""The rows of a selection at one position, in their order: the source of every file and frame.

They are read in chunks from a streaming query, so memory does not grow with the number of rows; all chunks see the same
position, whatever is written meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Result, Select, func, literal, select

from domain.ledger import Ledger
from projections.queries.conditions import conditions
from projections.queries.key_page import file_order
from projections.queries.selection import Selection, chosen_columns, table_of
from projections.stores.generations import ReadStore

ROWS_AT_ONCE = 10_000

Progress = Callable[[int], None]
Masks = Mapping[str, Callable[[str], str]]
Rows = Sequence[Sequence[Any]]


def no_progress(_rows: int) -> None:
    """Ignore progress."""


class RowStream:
    """A selection of a read model within one transaction; ``done`` counts the rows read so far."""

    def __init__(  # noqa: PLR0917 - what, whom to tell, and what to hide
        self,
        connection: Connection,
        model: str,
        selection: Selection,
        timezone: str,
        progress: Progress = no_progress,
        masks: Masks | None = None,
        sort: str = "",
        columns: Sequence[str] = (),
    ) -> None:
        """Prepare to read a selection; ``progress`` is called with the number of rows after each chunk.

        ``masks`` maps columns to the functions that mask their texts for users who must not see them. ``sort`` is a
        column, with ``-`` before it for descending order, in place of the order of exports. ``columns`` are those that are read, in
        their order; all that a reader sees if none is named. Raises SelectionError.
        """
        self.model = model
        self.columns: list[Column[Any]] = chosen_columns(model, columns)
        self.done = 0
        self._connection = connection
        self._conditions = conditions(model, selection, timezone)
        self._order = file_order(model, sort)
        self._progress = progress
        self._results = ExitStack()
        self._masked = [
            (number, masks[name]) for number, name in enumerate(self.column_names) if masks and name in masks
        ]

    @property
    def column_names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    def chunks(self, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[Rows]:
        """Yield the rows in chunks."""
        statement = select(*self.columns).where(*self._conditions).order_by(*self._order)
        for rows in self._read(statement, rows_at_once):
            yield self._hidden(rows) if self._masked else rows
            self.done += len(rows)
            self._progress(self.done)

    def _read(self, statement: Select[Any], rows_at_once: int) -> Iterator[Rows]:
        if self._connection.dialect.name != "sqlite":
            yield from self._executed(statement, rows_at_once).partitions()
            return
        # SQLite's cursor makes its rows one by one, as plain tuples: SQLAlchemy's take half as long again.
        cursor: Any = self._results.enter_context(self._connection.execute(statement)).cursor
        while rows := cursor.fetchmany(rows_at_once):
            yield rows

    def _hidden(self, rows: Rows) -> Rows:
        hidden = []
        for row in rows:
            values = list(row)
            for number, mask in self._masked:
                values[number] = mask(values[number])
            hidden.append(tuple(values))
        return hidden

    def count(self) -> int:
        """Return the number of rows."""
        statement = select(func.count()).select_from(table_of(self.model)).where(*self._conditions)
        return self._connection.execute(statement).scalar_one()

    def are_more_than(self, rows: int) -> bool:
        """Whether there are more than so many rows; no more than these are looked for."""
        some = select(literal(1)).select_from(table_of(self.model)).where(*self._conditions).limit(rows + 1).subquery()
        return self._connection.execute(select(func.count()).select_from(some)).scalar_one() > rows

    def longer_than(self, column: Column[Any], length: int) -> Iterator[str]:
        """Yield the texts of a column that are longer than ``length`` code points."""
        statement = select(column).where(*self._conditions, func.length(column) > length)
        yield from self._executed(statement, 100).scalars()

    def _executed(self, statement: Select[Any], rows_at_once: int) -> Result[Any]:
        result = self._connection.execute(statement.execution_options(yield_per=rows_at_once))
        return self._results.enter_context(result)

    def close(self) -> None:
        """Close results that were not read to their end: a server may be keeping them."""
        self._results.close()


@contextmanager
def open_row_stream(
    ledger: Ledger,
    store: ReadStore,
    model: str,
    selection: Selection,
    progress: Progress = no_progress,
    *,
    sort: str = "",
    columns: Sequence[str] = (),
) -> Iterator[RowStream]:
    """Open a selection at the present position of the read models, with all columns or with those named, in their order.

    Raises ReadModelsUnusable if they belong to another ledger or log, SelectionError, StoreUnavailable.
    """
    with store.snapshot() as connection:
        store.position(connection, ledger.store)
        with closing(
            RowStream(connection, model, selection, ledger.timezone, progress, sort=sort, columns=columns)
        ) as rows:
            yield rows
