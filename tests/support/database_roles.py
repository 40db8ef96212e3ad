"""Three roles of least rights on one database, reached over TCP: an owner, a service and a reader."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple
from unittest.mock import patch

from api.cli.database_roles import grant_rights
from api.web.auth.store import make_access_schema
from domain.log.open import open_log
from domain.log.postgres.log import PostgresLog
from projections.proofs.proof_store import make_proofs_schema
from projections.stores.postgres import PostgresGenerations
from tests.support.command import run
from tests.support.postgres_server import Postgres
from tests.support.tcp_proxy import network

OWNER, SERVICE, READER = "ledger_owner", "ledger_service", "ledger_reader"
_MAKE_ROLES = """
    DO $$ DECLARE name text; BEGIN
        FOREACH name IN ARRAY ARRAY['ledger_owner', 'ledger_service', 'ledger_reader'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN EXECUTE 'CREATE ROLE ' || name || ' LOGIN'; END IF;
        END LOOP;
    END $$
"""
_LET_IN = """
    DO $$ BEGIN
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
    for statement in (_MAKE_ROLES, _LET_IN):
        postgres.execute(statement, database=name)
    with network(postgres.directory / ".s.PGSQL.5432") as way:
        yield Roles(
            *(f"postgresql://{role}@127.0.0.1:{way.port}/{name}?sslmode=disable" for role in (OWNER, SERVICE, READER))
        )


def owners(url: str) -> str:
    """Return the owner's address of the database that a service's address names; any other address as it is."""
    return url.replace(f"//{SERVICE}@", f"//{OWNER}@")


def superusers(url: str) -> str:
    """Return the superuser's address of the database that a service's address names; any other address as it is."""
    return url.replace(f"//{SERVICE}@", "//postgres@")


def make_ledger_of_service(url: str) -> None:
    """Let the owner make the ledger, if the address is a service's: a service that is a process of its own may not."""
    if owners(url) != url:
        said = run("migrate", "--store", owners(url))
        assert said.code == 0, said.err


@contextmanager
def service_database(postgres: Postgres) -> Iterator[str]:
    """Give the address of a database in which the owner has migrated and no ledger has begun, over TCP with the role of a service.

    A test that makes its ledger there makes no tables: the owner has done so, and the service may not.
    """

    def migrate(url: str) -> None:
        with three_roles(postgres, url) as roles:
            _make_everything(roles.owner)

    with (
        postgres.copy_of("migrated", migrate) as url,
        three_roles(postgres, url) as roles,
        patch.object(PostgresLog, "create", _create_unless_service),
    ):
        yield roles.service


def _make_everything(owner: str) -> None:
    with closing(open_log(owner)) as log:
        log.create()
    make_access_schema(owner)
    make_proofs_schema(owner, "")
    PostgresGenerations(owner, "").make()
    grant_rights(owner, [SERVICE], [READER])


_create = PostgresLog.create


def _create_unless_service(log: PostgresLog) -> None:
    """Make the tables, but not for a service: the owner has made them."""
    url = log._connections._url
    if owners(url) == url:
        _create(log)
