"""When the latest of some calls or CDRs was, whatever filters select them."""

from msgspec import structs
from sqlalchemy import Connection, func, select

from domain import times
from projections.queries.counted_rows import counted_rows
from projections.queries.pagination import fetch_page
from projections.queries.selection import Selection, read_model
from projections.queries.time_points import read_month
from projections.schema.rollups import MONTH, ROWS


def latest_time(connection: Connection, model: str, selection: Selection, timezone: str) -> int | None:
    """Return the latest time, in microseconds, UTC, of the calls or CDRs that a selection has in any span; None if there is none."""
    chosen, time_column = selection.whenever, read_model(model).time_column
    source = counted_rows(model, chosen, timezone)
    if source.table is not read_model(model).table:
        # The rollup knows the month: where few rows are selected, they need not be looked for in all.
        latest = select(func.max(source.table.c[MONTH])).where(*source.conditions, source.table.c[ROWS] > 0)
        found = connection.execute(latest).scalar_one()
        if found is None:
            return None
        month = read_month(found)
        first, after = (times.start_of_day(each.first_day, timezone) for each in (month, month.next))
        chosen = structs.replace(chosen, since=first, until=after)
    rows = fetch_page(connection, model, chosen, timezone, f"-{time_column}", limit=1).rows
    return int(getattr(rows[0], time_column)) if rows else None


def latest_counted(connection: Connection, selection: Selection, timezone: str) -> int | None:
    """Return when the latest of the selected calls counts, in microseconds, UTC, whatever span is selected; None if there is none."""
    found = [latest_time(connection, model, selection, timezone) for model in ("cdrs", "calls")]
    return max((at for at in found if at is not None), default=None)
