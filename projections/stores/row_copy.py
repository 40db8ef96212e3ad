"""Tables copied row by row from one database into another, whatever kind each is."""

from sqlalchemy import Connection, MetaData, Table, delete, insert, select

ROWS_AT_ONCE = 1000


def copy_rows(source: Connection, target: Connection, metadata: MetaData) -> None:
    """Replace all rows of some tables by those that another database has of them, within the open transactions."""
    for table in metadata.sorted_tables:
        target.execute(delete(table))
        rows = source.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE))
        for part in rows.partitions():
            target.execute(insert(table), [row._asdict() for row in part])
        if target.dialect.name == "postgresql":
            _go_on_counting(target, table)


def _go_on_counting(target: Connection, table: Table) -> None:
    """Let a table go on with its numbers behind those that were copied: PostgreSQL counts apart from the rows."""
    column = table.autoincrement_column
    if column is not None and column.autoincrement is True:
        name = f"'{table.name}', '{column.name}'"
        target.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence({name}), coalesce(max({column.name}), 0) + 1, false) FROM {table.name}"
        )
