"""What is created besides the tables: the indexes, and the view ``entries``.

The view has every entry of the books, CDRs and postings, in one shape; billing is their sum.
"""

from sqlalchemy import Connection, Select, case, func, literal, select, union_all
from sqlalchemy.sql.expression import ColumnElement

from projections.rows.entry import ANSWERED, CDR
from projections.schema.indexes import NO_CDR_ONLY
from projections.schema.read_models import READ_MODELS
from projections.schema.tables import CDRS, ENTRIES, POSTINGS

WAITING = "calls_waiting"
BY_DISPOSITION = ("calls_by_disposition", "cdrs_by_disposition")

_c = CDRS.c
_OF_A_CDR: dict[str, ColumnElement[object]] = {
    "number": literal(0),
    "kind": literal(CDR),
    "calls": literal(1),
    "answered": case((_c.disposition == ANSWERED, 1), else_=0),
    "src_seconds": func.coalesce(_c.src_duration, 0),
    "dest_seconds": func.coalesce(_c.dest_duration, 0),
    "billed_seconds": func.coalesce(_c.billed_seconds, 0),
    "posted_by": literal(""),
    "reason": literal(""),
}


def create_entries_view(connection: Connection) -> None:
    """Create the view in a database that has the tables and not the view."""
    name, columns = ENTRIES.name, ", ".join(ENTRIES.columns.keys())
    both = union_all(entries_of_cdrs(), entries_of_postings())
    text = both.compile(connection, compile_kwargs={"literal_binds": True})
    connection.exec_driver_sql(f"CREATE VIEW {name} ({columns}) AS {text}")


def entries_of_cdrs() -> Select[tuple[object, ...]]:
    """Select the entries that are CDRs, in the columns of the view."""
    wanted = [
        (_OF_A_CDR[column.name] if column.name in _OF_A_CDR else _c[column.name]).label(column.name)
        for column in ENTRIES.columns
    ]
    return select(*wanted)


def entries_of_postings() -> Select[tuple[object, ...]]:
    """Select the entries that are postings, in the columns of the view."""
    return select(*(POSTINGS.c[column.name] for column in ENTRIES.columns))


def create_indexes(connection: Connection) -> None:
    """Create the indexes that are missing.

    Builds create them after the rows, which is faster than maintaining them row by row. Each one slows every page of events
    down a little. So frequent filters have one, and combinations of filters have none: the most selective filter's is used.
    """
    for statement in index_statements().values():
        connection.exec_driver_sql(statement)


def index_statements() -> dict[str, str]:
    """Return by the index's name the statement that creates it on SQLite."""
    return _statements("", carried=True)


def postgres_index_statements(schema: str) -> dict[str, str]:
    """Return by the index's name the statement that creates it for the tables of a PostgreSQL schema.

    There an index holds every column that it names: the long call id is left to the table, and so is the position behind a
    time, since few rows have the same one and those are quickly sorted. Most calls are answered: their pages are cut from the
    order of time, and only the others are in the index by disposition. And a row whose indexed columns stay the same is
    updated within its page: so the index of calls that wait for their CDR does not name what changes with each event.
    """
    statements = {
        name: text.replace(", call_id", "")
        .replace("cdr_at, position", "cdr_at")
        .replace("substr(src, -4)", "right(src, 4)")
        for name, text in _statements(f"{schema}.", carried=False).items()
    }
    for name in BY_DISPOSITION:
        statements[name] += f" WHERE disposition <> '{ANSWERED}'"
    statements[WAITING] = f"CREATE INDEX IF NOT EXISTS {WAITING} ON {schema}.calls (opened_at) WHERE {NO_CDR_ONLY}"
    return statements


def _statements(place: str, *, carried: bool) -> dict[str, str]:
    return {
        index.name: f"CREATE {'UNIQUE ' if index.unique else ''}INDEX IF NOT EXISTS {index.name} ON {place}{model.table.name} ({index.columns}"
        + (f", {index.carried})" if carried and index.carried else ")")
        + (f" WHERE {index.where}" if index.where else "")
        for model in READ_MODELS
        for index in model.indexes
    }
