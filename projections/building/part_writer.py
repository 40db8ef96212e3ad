"""Write the rows of a part where it was folded, and send none of them: PostgreSQL takes rows from many processes at once.

SQLite takes them from one. So there, and for read models of an earlier time, the process that rebuilds writes all rows.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from domain.ledger import Ledger
from projections.building.partitions import FoldedPart, SharedBuild
from projections.rows.projector import as_tuples


class WritePart(Protocol):
    """Takes a folded part, and returns what is to be sent of it."""

    def __call__(self, part: FoldedPart) -> FoldedPart:
        """Write the rows of the part, and return it without them; raises StoreUnavailable."""


@contextmanager
def part_writer(ledger: Ledger, into: SharedBuild | None) -> Iterator[WritePart]:
    """Lend what writes parts into a build; for None, all rows are sent."""
    if into is None:
        yield lambda part: part
        return
    # A worker that only sends rows needs no database library for read models, and starts without it.
    from projections.schema.read_models import READ_MODELS  # noqa: PLC0415
    from projections.stores.postgres_build import PostgresBuildWriter  # noqa: PLC0415

    tables = [(model.row, model.table) for model in READ_MODELS if model.row and model.is_stored]
    with closing(PostgresBuildWriter(ledger.url, *into)) as build:

        def write(part: FoldedPart) -> FoldedPart:
            build.write({table: as_tuples(made) for kind, table in tables if (made := part.batch.rows.get(kind))})
            part.batch.rows = {}
            return part

        yield write
