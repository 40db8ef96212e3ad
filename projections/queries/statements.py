"""Statements out of the read models: the entries of an account's month, whether it is closed, and what it was priced by."""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from projections.queries.row_stream import ROWS_AT_ONCE
from projections.queries.statement import Closed, Heading, NoStatement, Statement, Used, of_entries
from projections.rows.entry import Entry
from projections.schema.tables import CLOSINGS, ENTRIES, TARIFFS


def statement(connection: Connection, account: str, period: str, position: int) -> Statement:
    """Return the statement of an account for a month ``YYYY-MM``, at the position that the read models have.

    Raises NoStatement where the account has no entry in any month.
    """
    heading = Heading(account, period, *(_closing(connection, period) or (position, None)))
    found = of_entries(heading, _entries(connection, account, period), _published(connection))
    if not found.lines and not _is_known(connection, account):
        msg = (
            f"there is no account {account!r} in the books: `tringledger export billing` lists those that have entries"
        )
        raise NoStatement(msg)
    return found


def _closing(connection: Connection, period: str) -> tuple[int, Closed] | None:
    """Return at which position, when and by whom a month was closed, with itself or a later one; None while it is open."""
    wanted = select(CLOSINGS.c.position, CLOSINGS.c.closed_at, CLOSINGS.c.closed_by).where(CLOSINGS.c.period >= period)
    row = connection.execute(wanted.order_by(CLOSINGS.c.position).limit(1)).first()
    return (row.position, Closed(row.closed_at, row.closed_by)) if row else None


def _entries(connection: Connection, account: str, period: str) -> Iterator[Entry]:
    wanted = select(ENTRIES).where(ENTRIES.c.account == account, ENTRIES.c.period == period)
    with connection.execute(wanted.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
        yield from (Entry(*row) for row in rows)


def _published(connection: Connection) -> list[Used]:
    versions = select(TARIFFS.c.version, TARIFFS.c.published_at, TARIFFS.c.reason).order_by(TARIFFS.c.version)
    return [Used(str(version), at, reason) for version, at, reason in connection.execute(versions)]


def _is_known(connection: Connection, account: str) -> bool:
    return (
        connection.execute(select(ENTRIES.c.account).where(ENTRIES.c.account == account).limit(1)).first() is not None
    )
