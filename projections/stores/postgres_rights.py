"""What roles may do in the ledger's PostgreSQL database: the least that a service needs, and the least that a reader needs.

The owner is the role that ran `tringledger migrate`. A service appends to the log and can change or delete no event. A reader
reads the log, the read models and the proofs; what users of the pages do, and who they are, is not for it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, NullPool

from domain.errors import WrongUsage
from domain.log.tables import POSTGRES_SCHEMA as LOG
from projections.schema.read_models import TABLES
from projections.schema.tables import METADATA, PROGRESS
from projections.stores import postgres_slots as slots
from projections.stores.postgres_engine import map_errors, postgres_engine

READ, APPEND, CHANGE = ("SELECT",), ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE")
ALL = (*CHANGE, "DELETE")
_KINDS = {"TABLE": "table", "SCHEMA": "schema", "SEQUENCE": "sequence", "FUNCTION": "function"}
_EXISTS = {"TABLE": "regclass", "SCHEMA": "regnamespace", "SEQUENCE": "regclass", "FUNCTION": "regprocedure"}


class Right(NamedTuple):
    """Privileges on an object: its kind (`TABLE` for views, too) and its full name."""

    kind: str
    name: str
    privileges: tuple[str, ...]


def rights_on(schema: str, privileges: tuple[str, ...], *tables: str) -> list[Right]:
    """Return the rights on tables of a schema."""
    return [Right("TABLE", f"{schema}.{table}", privileges) for table in tables]


def _use(*schemas: str) -> list[Right]:
    return [Right("SCHEMA", schema, ("USAGE",)) for schema in schemas]


_SLOTS = [slots.schema_of(slot) for slot in slots.SLOTS]
_SLOT_TABLES = (*METADATA.tables, slots.STAMP)
_SHOWN = (*(table.name for table in TABLES.values()), PROGRESS.name)
_ENTRIES = next(table.name for table in TABLES.values() if table.metadata is not METADATA)

SERVICE = (
    *_use(LOG, slots.VIEWS, *_SLOTS),
    *rights_on(LOG, APPEND, "stored_events", "delivery_keys", "nonces", "signatures"),
    *rights_on(LOG, CHANGE, "ledger", "line_calls"),
    *rights_on(LOG, ALL, "quarantine"),
    *rights_on(LOG, ("SELECT", "UPDATE"), "quarantine_totals"),  # By the triggers of the quarantine.
    *(right for slot in _SLOTS for right in rights_on(slot, ALL, *_SLOT_TABLES)),
    *(right for slot in _SLOTS for right in rights_on(slot, READ, _ENTRIES)),
    *rights_on(slots.VIEWS, READ, *_SHOWN),
    *(Right("FUNCTION", f"{function}(integer)", ("EXECUTE",)) for function in (slots.EMPTY_SLOT, slots.FINISH_SLOT)),
)
READER = (
    *_use(LOG, slots.VIEWS, *_SLOTS),
    *rights_on(LOG, READ, "stored_events", "delivery_keys", "nonces", "signatures", "ledger", "line_calls"),
    *rights_on(LOG, READ, "quarantine", "quarantine_totals"),
    *(right for slot in _SLOTS for right in rights_on(slot, READ, *_SLOT_TABLES, _ENTRIES)),
    *rights_on(slots.VIEWS, READ, *_SHOWN),
)


def grant_statements(role: str, rights: Iterable[Right]) -> list[str]:
    """Return the statements that give a role these rights; ``role`` is quoted as an identifier."""
    quoted = '"' + role.replace('"', '""') + '"'
    return [f"GRANT {', '.join(each.privileges)} ON {each.kind} {each.name} TO {quoted}" for each in rights]


def grant(url: str, role: str, rights: Iterable[Right]) -> None:
    """Give a role these rights; raises WrongUsage where there is no such role, StoreUnavailable."""
    with _connected(url) as connection:
        _check_role(connection, role)
        for statement in grant_statements(role, rights):
            connection.exec_driver_sql(statement.replace("%", "%%"))


def missing_rights(url: str, role: str | None, rights: Iterable[Right]) -> list[str]:
    """Return as sentences what a role lacks, the connecting one for None; raises WrongUsage where there is no such role."""
    with _connected(url) as connection:
        if role is None:
            role = str(connection.exec_driver_sql("SELECT current_user::text").scalar_one())
        _check_role(connection, role)
        return [sentence for right in rights for sentence in _missing(connection, role, right)]


def _missing(connection: Connection, role: str, right: Right) -> list[str]:
    kind, name = _KINDS[right.kind], right.name
    if not connection.exec_driver_sql(f"SELECT to_{_EXISTS[right.kind]}(%s) IS NOT NULL", (name,)).scalar_one():
        return [f"there is no {kind} {name}: run `tringledger migrate`"]
    query = f"SELECT p FROM unnest(%s::text[]) p WHERE NOT has_{kind}_privilege(%s, %s, p)"
    lacking = connection.exec_driver_sql(query, (list(right.privileges), role, name)).scalars().all()
    return [f"role {role} lacks {', '.join(lacking)} on {kind} {name}"] if lacking else []


def _check_role(connection: Connection, role: str) -> None:
    if not connection.exec_driver_sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).first():
        msg = f"there is no role {role!r} on the server; expected one that CREATE ROLE has made"
        raise WrongUsage(msg)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = postgres_engine(url, name="tringledger-migrate", poolclass=NullPool)
    with map_errors("the database of the ledger"), engine.begin() as connection:
        yield connection
