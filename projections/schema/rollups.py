"""The rollups: how many rows of a read model there are, and their sums, for each combination of a few of its columns.

Sums and facets of a selection are read from a rollup where the selection asks for nothing else: from some ten thousand rows in
place of millions. A rollup is no read model: it is neither exported nor certified, since its rows follow from those that are.
"""

from typing import NamedTuple

from sqlalchemy import Table

from projections.schema import read_models
from projections.schema.read_models import STORED_TABLES, ReadModel
from projections.schema.tables import CALLS_ROLLUP, CDRS_ROLLUP

MONTH, ROWS = "month", "rows"


class Rollup(NamedTuple):
    """The rollup of a read model: its table, whose key is ``month`` and the columns ``keys`` of the read model.

    ``month`` is the calendar month ``YYYY-MM`` of the read model's time, in the ledger's time zone. ``rows`` counts, and the
    columns ``summed`` sum up.
    """

    model: ReadModel
    table: Table

    @property
    def keys(self) -> list[str]:
        """The columns of the read model that the key consists of, besides the month."""
        return [column.name for column in self.table.primary_key if column.name != MONTH]

    @property
    def summed(self) -> tuple[str, ...]:
        """The columns that are summed up."""
        return self.model.summed


ROLLUPS = {
    rollup.model.name: rollup
    for rollup in (Rollup(read_models.CALLS, CALLS_ROLLUP), Rollup(read_models.CDRS, CDRS_ROLLUP))
}
# What a rebuild compares: the tables of read models, and the rollups.
COMPARED_TABLES = STORED_TABLES | {f"{name}-rollup": rollup.table for name, rollup in ROLLUPS.items()}
