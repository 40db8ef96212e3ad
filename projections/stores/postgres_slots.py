"""The fixed schemas of read models in PostgreSQL: two places for generations, and one of views with stable names.

Odd generations are kept in ``tringledger_read_1``, even ones in ``tringledger_read_2``: a rebuild fills the place that is not
current. The views in ``tringledger_read`` show the current generation. They ask a function which one that is, so a rebuild
changes nothing about them: neither their grants nor what others have built on them.

Places are emptied and indexed by functions that run with their owner's rights. So a service needs neither the tables' owner
nor CREATE or TEMP on the database.
"""

import re
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from domain.errors import LedgerError
from domain.log.tables import POSTGRES_SCHEMA as LOG_SCHEMA
from projections.schema.indexes_and_views import create_entries_view, postgres_index_statements
from projections.schema.read_models import TABLES
from projections.schema.tables import METADATA, PROGRESS, SCHEMA
from projections.stores.database import driver_message
from projections.stores.postgres_engine import CREATING, ONLY_ONE
from projections.stores.postgres_grants import grants_in, restore_grants

PREFIX = "tringledger_read_"
VIEWS = "tringledger_read"
SLOTS = (1, 2)
# The table of a place that has the number of the generation in it: one row, or none where it is empty.
STAMP = "generation"
CURRENT_SLOT, EMPTY_SLOT, FINISH_SLOT = (f"{VIEWS}.{name}" for name in ("current_slot", "empty_slot", "finish_slot"))
GONE = "the read models were rebuilt or deleted: begin a new transaction, or run `tringledger rebuild`"

_TABLES = (*METADATA.tables, STAMP)
_SHOWN = (*(table.name for table in TABLES.values()), PROGRESS.name)
_SHAPE = f"read models of tringledger, schema {SCHEMA}"
_COMMENT = "SELECT obj_description(to_regnamespace(%s)::oid, 'pg_namespace')"
_SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname ~ %s ORDER BY 1"
_RELATIONS = "SELECT c.relname::text, c.relkind FROM pg_class c WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind IN ('r', 'v')"
_DEPENDED_ON = "2BP01"


def slot_of(generation: int) -> int:
    """Return the place of a generation."""
    return 2 - generation % 2


def schema_of(slot: int) -> str:
    """Return the schema of a place."""
    return f"{PREFIX}{slot}"


def stamp_in(connection: Connection, generation: int) -> int | None:
    """Return the number of the generation that is in the place of this one, or None where it is empty."""
    schema = schema_of(slot_of(generation))
    found: int | None = connection.exec_driver_sql(f"SELECT number FROM {schema}.{STAMP}").scalar()
    return found


def are_made(connection: Connection) -> bool:
    """Whether the schemas are there, in this version's shape."""
    if connection.exec_driver_sql(_COMMENT, (VIEWS,)).scalar() != _SHAPE:
        return False
    there = [set(_relations(connection, schema)) for schema in (VIEWS, *map(schema_of, SLOTS))]
    return there[0] >= set(_SHOWN) and all(names >= set(_TABLES) for names in there[1:])


def make(connection: Connection) -> bool:
    """Make the schemas, or bring them up to date; return whether read models were dropped for that.

    What somebody else has built on them is never dropped: raises LedgerError with its names.
    """
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONLY_ONE}, {CREATING})")
    if are_made(connection):
        _make_functions(connection)
        return False
    schemas = [*connection.exec_driver_sql(_SCHEMAS, (f"^{PREFIX}[1-9][0-9]*$",)).scalars()]
    grants = grants_in(connection, [VIEWS, *map(schema_of, SLOTS)])
    had_rows = any("progress" in _relations(connection, schema) for schema in schemas)
    _drop(connection, schemas)
    path = connection.exec_driver_sql("SHOW search_path").scalar_one()
    for slot in SLOTS:
        _make_slot(connection, schema_of(slot))
    connection.exec_driver_sql(f"SET LOCAL search_path TO {path}")
    _make_views(connection)
    _make_functions(connection)
    restore_grants(connection, grants)
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {VIEWS} IS '{_SHAPE}'")
    return had_rows


def _relations(connection: Connection, schema: str) -> dict[str, str]:
    """Return the tables (`r`) and views (`v`) of a schema that bear the names of ours."""
    rows = connection.exec_driver_sql(_RELATIONS, (schema,)).all()
    return {name: kind for name, kind in rows if name in {*_TABLES, *_SHOWN}}


def _drop(connection: Connection, schemas: Sequence[str]) -> None:
    """Drop our views and tables, and schemas that earlier versions made."""
    try:
        for schema in (VIEWS, *schemas):
            for kind, word in (("v", "VIEW"), ("r", "TABLE")):
                ours = [f"{schema}.{name}" for name, found in _relations(connection, schema).items() if found == kind]
                if ours:
                    connection.exec_driver_sql(f"DROP {word} {', '.join(ours)} RESTRICT")
            if re.fullmatch(f"{PREFIX}[12]|{VIEWS}", schema) is None:
                connection.exec_driver_sql(f"DROP SCHEMA {schema} RESTRICT")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _DEPENDED_ON:
            raise
        detail = " ".join((error.orig.diag.message_detail or driver_message(error)).split())  # type: ignore[union-attr]
        msg = (
            f"the read models cannot be made anew, because others have built on them: {detail}; expected nothing that depends"
            " on them: drop it, run `tringledger migrate`, and make it again"
        )
        raise LedgerError(msg) from error


def _make_slot(connection: Connection, schema: str) -> None:
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
    METADATA.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(f"CREATE TABLE {STAMP} (number bigint NOT NULL)")
    create_entries_view(connection)


def _make_views(connection: Connection) -> None:
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {VIEWS}")
    _make_current_slot(connection)
    for table in (*TABLES.values(), PROGRESS):
        columns = ", ".join(table.columns.keys())
        parts = [
            f"SELECT {columns} FROM {schema_of(slot)}.{table.name} WHERE (SELECT {CURRENT_SLOT}()) = {slot}"
            for slot in SLOTS
        ]
        connection.exec_driver_sql(f"CREATE VIEW {VIEWS}.{table.name} ({columns}) AS {' UNION ALL '.join(parts)}")


def _make_current_slot(connection: Connection) -> None:
    """Make the function that tells which place is current, as the transaction sees it.

    It refuses where that place has been emptied since the transaction began: TRUNCATE empties a table for every transaction.
    """
    connection.exec_driver_sql(
        f"""CREATE OR REPLACE FUNCTION {CURRENT_SLOT}() RETURNS integer
        LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            wanted bigint := coalesce(
                (SELECT value::bigint FROM {LOG_SCHEMA}.ledger WHERE name = 'read_models'), 1);
        BEGIN
            IF NOT EXISTS (
                SELECT FROM {schema_of(1)}.{STAMP} WHERE number = wanted
                UNION ALL SELECT FROM {schema_of(2)}.{STAMP} WHERE number = wanted)
            THEN RAISE EXCEPTION '{GONE}'; END IF;
            RETURN 2 - mod(wanted, 2);
        END $$"""
    )


def _make_functions(connection: Connection) -> None:
    _make_current_slot(connection)
    for function, statements in ((EMPTY_SLOT, _emptying), (FINISH_SLOT, _finishing)):
        branches = " ELSIF ".join(f"slot = {slot} THEN {'; '.join(statements(schema_of(slot)))};" for slot in SLOTS)
        connection.exec_driver_sql(
            f"""CREATE OR REPLACE FUNCTION {function}(slot integer) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
            BEGIN IF {branches} ELSE RAISE EXCEPTION 'got slot %%; expected 1 or 2', slot; END IF; END $$"""
        )
        connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {function}(integer) FROM PUBLIC")


def _emptying(schema: str) -> list[str]:
    """Return the statements that empty a place, and drop the indexes that are quicker to make after the rows."""
    tables, indexes = (
        ", ".join(f"{schema}.{name}" for name in names) for names in (_TABLES, postgres_index_statements(schema))
    )
    return [f"TRUNCATE {tables}", f"DROP INDEX IF EXISTS {indexes}"]


def _finishing(schema: str) -> list[str]:
    """Return the statements that create the indexes of a place that are missing, and take its statistics."""
    tables = ", ".join(f"{schema}.{name}" for name in _TABLES)
    return [*postgres_index_statements(schema).values(), f"ANALYZE {tables}"]
