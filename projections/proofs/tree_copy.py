"""A proof tree into another store: all epochs with their checkpoints, marked so that the copy signs nothing by itself."""

from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import Table, insert, select

from domain.errors import CopyDiffers
from domain.log.contract import Log
from projections.proofs.log_check import check_log
from projections.proofs.proof_store import remake_proofs
from projections.proofs.proof_tables import CHECKPOINTS, FACTS, TILES
from projections.proofs.tree_rows import TreeRows

ROWS_AT_ONCE = 500


def copy_tree(source: TreeRows, log: Log, url: str, ledger_id: str, mark: str, *, unproven: bool = False) -> None:
    """Copy a tree to the proofs of the ledger at a URL, and check that ledger's ``log`` against it.

    ``mark`` says what it is a copy of; it is not signed until an operator adopts it. Raises CopyDiffers where the log does not hold against
    the tree, unless it is known to be ``unproven``.
    """
    with closing(remake_proofs(url, ledger_id)) as target:
        with target.writing() as rows:
            rows.connection.execute(FACTS.delete())
            for table in (FACTS, TILES, CHECKPOINTS):
                for page in _pages(source, table):
                    rows.connection.execute(insert(table), page)
            rows.note({"mark": mark})
        with target.reading() as rows:
            check = check_log(log, rows)
    if not check.holds and not unproven:
        msg = f"the copy does not hold against the proofs of its source: {check.findings[0].what}: run the copy again"
        raise CopyDiffers(msg)


def _pages(source: TreeRows, table: Table) -> Iterator[list[dict[str, object]]]:
    found = source.connection.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE))
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]
