"""The rows of a selection at one position, in their order: the source of every file and frame.

They are read in chunks from a streaming query, so memory does not grow with the number of rows; all chunks see the same
position, whatever is written meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Result, Select, func, literal, literal_column, or_, select

from domain.ledger import Ledger
from projections.queries.conditions import conditions
from projections.queries.copied_lines import lines_in_chunks, open_copy
from projections.queries.key_page import file_order
from projections.queries.read_ahead import ReadAhead
from projections.queries.selection import Selection, chosen_columns, table_of
from projections.stores.generations import ReadStore

ROWS_AT_ONCE = 5_000

Progress = Callable[[int], None]
Masks = Mapping[str, Callable[[str], str]]
Rows = Sequence[Sequence[Any]]
Part = TypeVar("Part")


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
        *,
        reads_ahead: bool = False,
    ) -> None:
        """Prepare to read a selection; ``progress`` is called with the number of rows after each chunk.

        ``masks`` maps columns to the functions that mask their texts for users who must not see them. ``sort`` is a
        column, with ``-`` before it for descending order, in place of the order of exports. ``columns`` are those that are read, in
        their order; all that a reader sees if none is named. ``reads_ahead`` reads in threads while what was read is worked
        on, where the caller offers that. Raises SelectionError.
        """
        self.model = model
        self.columns: list[Column[Any]] = chosen_columns(model, columns)
        self.done = 0
        self._connection = connection
        self._conditions = conditions(model, selection, timezone)
        self._order = file_order(model, sort)
        self._progress = progress
        self._reads_ahead = reads_ahead
        self._threads, self._results = ExitStack(), ExitStack()
        self._masked = [
            (number, masks[name]) for number, name in enumerate(self.column_names) if masks and name in masks
        ]

    @property
    def column_names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    def chunks(self, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[Rows]:
        """Yield the rows in chunks."""
        for rows in self.row_chunks(rows_at_once):
            yield rows
            self.pass_on(len(rows))

    def pass_on(self, rows: int) -> None:
        """Count so many rows more, and tell it."""
        self.done += rows
        self._progress(self.done)

    def row_chunks(self, rows_at_once: int) -> Iterator[Rows]:
        """Yield the rows in chunks, without counting them: callers that read ahead count what they have worked on."""
        for rows in self._read(self._ordered(*self.columns), rows_at_once):
            yield self._hidden(rows) if self._masked else rows

    @property
    def has_masks(self) -> bool:
        """Whether texts are masked: such rows are read by ``row_chunks`` alone."""
        return bool(self._masked)

    def lines(self, rows_at_once: int) -> Iterator[bytes]:
        """Yield the rows in chunks, without counting them, as lines that the database writes.

        SQLite writes JSON, an array for each row with a 0 before and after the columns, and PostgreSQL CSV as ``copied_lines`` says.
        """
        if not self.is_sqlite:
            copying = self._results.enter_context(ExitStack())
            copied = copying.enter_context(open_copy(self._connection, self._ordered(*self.columns)))
            yield from lines_in_chunks(copied, rows_at_once)
            copying.close()  # From now on the connection can do something else.
            return
        edge: Any = literal_column("0")
        line = func.json_array(edge, *self.columns, edge)
        for rows in self._read(self._ordered(line), rows_at_once):
            yield "\n".join(chain.from_iterable(rows)).encode()

    def ahead(self, parts: Iterator[Part], parts_ahead: int = 1) -> Iterator[Part]:
        """Return an iterator over parts; where this reads ahead, so many of the next are made in a thread meanwhile."""
        if not self._reads_ahead:
            return parts
        return iter(self._threads.enter_context(closing(ReadAhead(parts, parts_ahead))))

    @property
    def is_sqlite(self) -> bool:
        """Whether the rows come from SQLite."""
        return self._connection.dialect.name == "sqlite"

    def _ordered(self, *wanted: Any) -> Select[Any]:
        return select(*wanted).select_from(table_of(self.model)).where(*self._conditions).order_by(*self._order)

    def _read(self, statement: Select[Any], rows_at_once: int) -> Iterator[Rows]:
        if not self.is_sqlite:
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

    def with_longer_texts(self, columns: Sequence[Column[Any]], length: int) -> Iterator[Sequence[str]]:
        """Yield the texts of columns of the rows in which one of them is longer than ``length`` code points."""
        are_longer = or_(*(func.length(column) > length for column in columns))
        yield from self._executed(select(*columns).where(*self._conditions, are_longer), 100)

    def _executed(self, statement: Select[Any], rows_at_once: int) -> Result[Any]:
        result = self._connection.execute(statement.execution_options(yield_per=rows_at_once))
        return self._results.enter_context(result)

    def close(self) -> None:
        """Stop reading ahead, and close results that were not read to their end: a server may be keeping them."""
        self._threads.close()
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
    reads_ahead: bool = False,
) -> Iterator[RowStream]:
    """Open a selection at the present position of the read models, with all columns or with those named, in their order.

    Raises ReadModelsUnusable if they belong to another ledger or log, SelectionError, StoreUnavailable.
    """
    with store.snapshot() as connection:
        store.position(connection, ledger.store)
        with closing(
            RowStream(
                connection,
                model,
                selection,
                ledger.timezone,
                progress,
                sort=sort,
                columns=columns,
                reads_ahead=reads_ahead,
            )
        ) as rows:
            yield rows
