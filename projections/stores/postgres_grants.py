"""Grants on tables and views that are made anew: those who could read or write them before still can."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

_GRANTS = """
    SELECT n.nspname::text, c.relname::text, a.privilege_type,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.is_grantable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE n.nspname = ANY(%s::text[]) AND c.relkind IN ('r', 'v') AND a.grantee <> c.relowner
"""


class Grant(NamedTuple):
    """A privilege that a role (`PUBLIC` for all) has on a table or view."""

    schema: str
    relation: str
    privilege: str
    role: str
    is_grantable: bool


def grants_in(connection: Connection, schemas: Iterable[str]) -> list[Grant]:
    """Return the grants on the tables and views of some schemas, without those of their owners."""
    return [Grant(*row) for row in connection.exec_driver_sql(_GRANTS, (list(schemas),))]


def restore_grants(connection: Connection, grants: Iterable[Grant]) -> None:
    """Grant again what was granted, on what is there."""
    for grant in grants:
        name = f"{grant.schema}.{grant.relation}"
        if connection.exec_driver_sql("SELECT to_regclass(%s) IS NOT NULL", (name,)).scalar_one():
            with_option = " WITH GRANT OPTION" if grant.is_grantable else ""
            connection.exec_driver_sql(f"GRANT {grant.privilege} ON {name} TO {grant.role}{with_option}")
