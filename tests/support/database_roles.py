"""Three roles of least rights on one database, reached over TCP: an owner, a service and a reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.support.postgres_server import Postgres
from tests.support.tcp_proxy import network

OWNER, SERVICE, READER = "ledger_owner", "ledger_service", "ledger_reader"
_MAKE = """
    DO $$ DECLARE name text; BEGIN
        FOREACH name IN ARRAY ARRAY['ledger_owner', 'ledger_service', 'ledger_reader'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN EXECUTE 'CREATE ROLE ' || name || ' LOGIN'; END IF;
        END LOOP;
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO ledger_service, ledger_reader', current_database());
        EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO ledger_owner', current_database());
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END $$
"""


class Roles(NamedTuple):
    """The addresses by which the three roles reach the database."""

    owner: str
    service: str
    reader: str


@contextmanager
def three_roles(postgres: Postgres, url: str) -> Iterator[Roles]:
    """Make the roles, which own nothing yet, and let them in over TCP; only the owner may make schemas."""
    name = postgres.name_of(url)
    postgres.execute(_MAKE, database=name)
    with network(postgres.directory / ".s.PGSQL.5432") as way:
        yield Roles(
            *(f"postgresql://{role}@127.0.0.1:{way.port}/{name}?sslmode=disable" for role in (OWNER, SERVICE, READER))
        )
