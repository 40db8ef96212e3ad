"""The indexes by which read models are browsed: for each filter, the rows in the order in which they are shown.

They are made behind the rows in a build, which is quicker than beside them, and they cost each page of events a little; so
there is one for what is asked for often, and none for combinations: of several filters the choosiest one's is taken.
"""

from sqlalchemy import Connection

_FLAGGED = "flags <> ''"

INDEXES = {
    "calls_by_time": ("calls", "opened_at", ""),
    "calls_by_tag": ("calls", "tag, opened_at", ""),
    "calls_by_account": ("calls", "account, opened_at", ""),
    "calls_by_src": ("calls", "src, opened_at", ""),
    "calls_by_disposition": ("calls", "disposition, opened_at", ""),
    "calls_by_period": ("calls", "period, opened_at", ""),
    "calls_flagged": ("calls", "opened_at, flags", _FLAGGED),
    "calls_in_progress": ("calls", "opened_at", "state = 'in-progress'"),
    # With all that counting those calls asks of them: it never looks at the table.
    "calls_waiting": ("calls", "last_at, state, status, answered_at, has_cdr", "has_cdr = 0"),
    "cdrs_by_time": ("cdrs", "cdr_at, position, call_id", ""),
    "cdrs_by_tag": ("cdrs", "tag, cdr_at, position, call_id", ""),
    "cdrs_by_account": ("cdrs", "account, cdr_at, position, call_id", ""),
    "cdrs_by_account_and_period": ("cdrs", "account, period, cdr_at, position, call_id", ""),
    "cdrs_by_src": ("cdrs", "src, cdr_at, position, call_id", ""),
    "cdrs_by_disposition": ("cdrs", "disposition, cdr_at, position, call_id", ""),
    "cdrs_by_period": ("cdrs", "period, cdr_at, position, call_id", ""),
    "cdrs_by_price": ("cdrs", "price, position, call_id", ""),
    "cdrs_flagged": ("cdrs", "cdr_at, position, call_id, flags", _FLAGGED),
}


def create_indexes(connection: Connection) -> None:
    """Make the indexes that are missing."""
    for name, (table, columns, where) in INDEXES.items():
        of_some = f" WHERE {where}" if where else ""
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns}){of_some}")
