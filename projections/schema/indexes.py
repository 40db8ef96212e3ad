"""The indexes by which read models are browsed: for each filter, the rows in the order in which they are shown.

Builds create them after the rows, which is faster than maintaining them row by row. Each one slows every page of events
down a little. So frequent filters have one, and combinations of filters have none: the most selective filter's is used.
"""

from sqlalchemy import Connection

from projections.schema.read_models import READ_MODELS


def create_indexes(connection: Connection) -> None:
    """Create the indexes that are missing."""
    for model in READ_MODELS:
        for name, columns, where in model.indexes:
            condition = f" WHERE {where}" if where else ""
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS {name} ON {model.table.name} ({columns}){condition}"
            )
