"""The rows of a selection, as they are at one position, in their order: what every file and frame is made from.

They come in chunks from a streaming read, so that no reader needs the memory of a million rows; all chunks see the same
moment, whoever writes meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Result, Select, func, select

from domain.ledger import Ledger
from projections.queries.conditions import conditions
from projections.queries.selection import Selection, order, table_of
from projections.schema.kinds import exported_columns
from projections.stores.generations import ReadStore

ROWS_AT_ONCE = 10_000

Progress = Callable[[int], None]
Masks = Mapping[str, Callable[[str], str]]
Rows = Sequence[Sequence[Any]]


def no_progress(_rows: int) -> None:
    """Report progress to nobody."""


class RowStream:
    """One selection of one read model within one transaction; ``done`` counts the rows that have passed."""

    def __init__(  # noqa: PLR0917 - what, whom to tell, and what to hide
        self,
        connection: Connection,
        model: str,
        selection: Selection,
        timezone: str,
        progress: Progress = no_progress,
        masks: Masks | None = None,
    ) -> None:
        """Take what to read, and whom to tell after each chunk how many rows have passed.

        ``masks`` names columns whose texts not everybody may see, each with what to show in their place.
        """
        self.model = model
        self.columns: list[Column[Any]] = exported_columns(table_of(model))
        self.done = 0
        self._connection = connection
        self._conditions = conditions(model, selection, timezone)
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
        """Yield the rows, many at a time."""
        statement = select(*self.columns).where(*self._conditions).order_by(*order(self.model))
        for rows in self._executed(statement, rows_at_once).partitions():
            yield self._hidden(rows) if self._masked else rows
            self.done += len(rows)
            self._progress(self.done)

    def _hidden(self, rows: Rows) -> Rows:
        hidden = []
        for row in rows:
            values = list(row)
            for number, mask in self._masked:
                values[number] = mask(values[number])
            hidden.append(tuple(values))
        return hidden

    def count(self) -> int:
        """Return how many rows there are."""
        statement = select(func.count()).select_from(table_of(self.model)).where(*self._conditions)
        return self._connection.execute(statement).scalar_one()

    def longer_than(self, column: Column[Any], length: int) -> Iterator[str]:
        """Yield the texts of a column that have more than so many code points."""
        statement = select(column).where(*self._conditions, func.length(column) > length)
        yield from self._executed(statement, 100).scalars()

    def _executed(self, statement: Select[Any], rows_at_once: int) -> Result[Any]:
        result = self._connection.execute(statement.execution_options(yield_per=rows_at_once))
        return self._results.enter_context(result)

    def close(self) -> None:
        """Give up what was not read to its end: a server may keep it for us."""
        self._results.close()


@contextmanager
def open_row_stream(
    ledger: Ledger, store: ReadStore, model: str, selection: Selection, progress: Progress = no_progress
) -> Iterator[RowStream]:
    """Begin to read a selection at the position that the read models have now.

    Raises ReadModelsUnusable where they are not this ledger's, SelectionError, StoreUnavailable.
    """
    with store.snapshot() as connection:
        store.position(connection, ledger.store)
        with closing(RowStream(connection, model, selection, ledger.timezone, progress)) as rows:
            yield rows
