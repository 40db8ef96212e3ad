"""Write the rows of a part where it was folded, and send none of them: PostgreSQL takes rows from many processes at once.

SQLite takes them from one. So there, and for read models of an earlier time, the process that rebuilds writes all rows.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from domain.ledger import Ledger
from projections.building.partitions import FoldedPart, SharedBuild
from projections.rows.projector import as_tuples

WritePart = Callable[[FoldedPart], FoldedPart]


@contextmanager
def part_writer(ledger: Ledger, into: SharedBuild | None) -> Iterator[WritePart]:
    """Lend what writes the rows of a part into a build, and returns the part without them; for None, all rows are sent.

    It raises StoreUnavailable.
    """
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
