"""An owner, a service and a reader are three roles in PostgreSQL: each can do its part over TCP, and no more."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from api.cli import database_roles
from api.web.auth.store import open_access_store
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from domain.outcomes import Recorded
from generated_reference import grants
from projections.building.catch_up import catch_up
from projections.building.rebuild import rebuild
from projections.proofs.proof_store import open_proofs
from projections.stores.generations import generations, open_current
from tests.support.command import run
from tests.support.database_roles import READER, SERVICE, Roles, three_roles
from tests.support.ledgers import record
from tests.support.notices import FORMULA, KEY, cdr
from tests.support.postgres_server import Postgres

DONE, FINDING, USAGE = 0, 1, 2
GRANTS = ("--service-role", SERVICE, "--reader-role", READER)


@pytest.fixture
def roles(postgres: Postgres, database: str) -> Iterator[Roles]:
    """Return the addresses of three roles; the owner has migrated and granted."""
    with three_roles(postgres, database) as found:
        said = run("migrate", *GRANTS, "--store", found.owner)
        assert said.code == DONE, said.err
        yield found


def serving(url: str) -> Ledger:
    return Ledger(url, Keyring(FORMULA, [KEY]))


def followed(url: str) -> int:
    """Record a call and catch up, as a service does; return the position of the read models."""
    with closing(serving(url)) as ledger:
        assert isinstance(record(ledger, cdr(0, tag=f"acme-{ledger.head()}"))[0], Recorded)
        with closing(open_current(ledger)) as store:
            return catch_up(ledger, store)


def rebuilt(url: str) -> int:
    with closing(Ledger(url)) as ledger:
        return rebuild(ledger).found


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


# What each can do


def test_a_service_records_follows_and_rebuilds_without_owning_anything(roles: Roles) -> None:
    assert followed(roles.service) == 1
    assert rebuilt(roles.service) == 0
    assert followed(roles.service) == 2
    with closing(Ledger(roles.service)) as ledger, closing(generations(ledger).follower_lock()) as lock:
        assert lock.acquire()
        open_proofs(ledger.url, ledger.id).close()
        open_access_store(ledger.url, durable=True).close()
    assert ask(roles.service, "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole") == [(0,)]


def test_owner_and_service_rebuild_in_turns(roles: Roles) -> None:
    assert followed(roles.service) == 1
    assert [rebuilt(url) for url in (roles.owner, roles.service, roles.owner, roles.service)] == [0, 0, 0, 0]
    assert followed(roles.service) == 2


def test_a_reader_exports_and_asks_the_views_before_and_after_rebuilds(roles: Roles) -> None:
    query = "SELECT call_id, account FROM tringledger_read.cdrs"
    followed(roles.service)
    before = ask(roles.reader, query)
    assert len(before) == 1
    exported = run("export", "cdrs", "--no-catch-up", "--store", roles.reader)
    assert (exported.code, exported.out.count("\n")) == (DONE, 2)
    for url in (roles.service, roles.owner):
        rebuilt(url)
        assert ask(roles.reader, query) == before
        assert run("export", "cdrs", "--no-catch-up", "--store", roles.reader).out == exported.out


def test_whoever_reads_first_owns_nothing(roles: Roles) -> None:
    with closing(Ledger(roles.reader)) as ledger, pytest.raises(StoreUnavailable, match="permission denied"):
        open_current(ledger)
    assert followed(roles.service) == 1


def test_a_user_is_added_and_served_by_the_service_role(roles: Roles) -> None:
    assert run("user", "add", "ann", "--role", "read", "--store", roles.service).code == DONE
    assert "ann" in run("user", "list", "--store", roles.service).out


# What each cannot do


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tringledger.stored_events SET topic = 'x'",
        "DELETE FROM tringledger.stored_events",
        "DELETE FROM tringledger.delivery_keys",
        "UPDATE tringledger.signatures SET position = 1",
        "DELETE FROM tringledger.ledger",
        "UPDATE tringledger_access.records SET who = 'x'",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (a int)",
        "CREATE TABLE tringledger_read.mine (a int)",
        "DROP TABLE tringledger_read_1.calls",
    ],
)
def test_a_service_is_denied_what_it_does_not_need(roles: Roles, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(roles.service, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tringledger.ledger VALUES ('a', 'b')",
        "DELETE FROM tringledger_read_1.calls",
        "SELECT * FROM tringledger_access.users",
        "SELECT tringledger_read.empty_slot(1)",
    ],
)
def test_a_reader_changes_nothing_and_sees_no_users(roles: Roles, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(roles.reader, statement)


# What is said about rights


def test_a_check_finds_nothing_lacking_after_the_grants(roles: Roles) -> None:
    said = run("migrate", "--check-rights", *GRANTS, "--store", roles.owner)
    assert (said.code, said.out, said.err) == (DONE, "", "nothing is lacking\n")
    assert run("migrate", "--check-rights", "--store", roles.service).code == DONE


def test_a_check_names_what_a_role_lacks(roles: Roles) -> None:
    ask(roles.owner, f"REVOKE INSERT, SELECT ON tringledger.stored_events FROM {SERVICE}")
    said = run("migrate", "--check-rights", "--store", roles.service)
    assert said.code == FINDING
    assert said.out == f"role {SERVICE} lacks SELECT, INSERT on table tringledger.stored_events\n"


def test_a_role_that_does_not_exist_is_refused(roles: Roles) -> None:
    said = run("migrate", "--service-role", "nobody", "--store", roles.owner)
    assert (said.code, "there is no role 'nobody' on the server" in said.err) == (USAGE, True)


def test_roles_of_a_store_in_a_file_are_wrong_usage(tmp_path: Path) -> None:
    said = run("migrate", "--check-rights", "--store", f"sqlite:///{tmp_path}/ledger.db")
    assert (said.code, "belong to PostgreSQL" in said.err) == (USAGE, True)


def test_the_script_of_the_documents_grants_all_that_is_needed(postgres: Postgres, database: str) -> None:
    with three_roles(postgres, database) as roles:
        assert run("migrate", "--store", roles.owner).code == DONE
        assert run("migrate", "--check-rights", *GRANTS, "--store", roles.owner).code == FINDING
        ask(roles.owner, grants.script())
        assert run("migrate", "--check-rights", *GRANTS, "--store", roles.owner).code == DONE


def test_no_table_was_forgotten(roles: Roles) -> None:
    query = (
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'tringledger%'"
        " UNION ALL SELECT schemaname || '.' || viewname FROM pg_views WHERE schemaname LIKE 'tringledger%'"
    )
    named = {right.name for right in database_roles.service_rights()}
    assert {name for (name,) in ask(roles.owner, query)} - named == set()


# What others have built


def test_a_new_form_of_the_read_models_keeps_grants_and_refuses_to_drop_what_others_built(roles: Roles) -> None:
    followed(roles.service)
    ask(roles.owner, "COMMENT ON SCHEMA tringledger_read IS 'read models of tringledger, schema 0'")
    ask(roles.owner, "CREATE SCHEMA reports CREATE VIEW mine AS SELECT count(*) FROM tringledger_read.cdrs")
    said = run("migrate", "--store", roles.owner)
    assert (said.code, "others have built on them: view reports.mine depends on" in said.err) == (FINDING, True)
    assert ask(roles.owner, "SELECT * FROM reports.mine") == [(1,)]
    ask(roles.owner, "DROP VIEW reports.mine")
    assert "the read models have a new form" in run("migrate", "--store", roles.owner).err
    assert run("migrate", "--check-rights", *GRANTS, "--store", roles.owner).code == DONE
    assert followed(roles.service) == 2
    assert ask(roles.reader, "SELECT count(*) FROM tringledger_read.cdrs") == [(2,)]


def test_schemas_of_earlier_versions_are_dropped_and_what_others_put_there_is_not(roles: Roles) -> None:
    ask(roles.owner, "CREATE SCHEMA tringledger_read_5 CREATE TABLE progress (a int) CREATE TABLE theirs (a int)")
    ask(roles.owner, "COMMENT ON SCHEMA tringledger_read IS NULL")
    said = run("migrate", "--store", roles.owner)
    assert (said.code, "table tringledger_read_5.theirs depends on schema" in said.err) == (FINDING, True)
    ask(roles.owner, "DROP TABLE tringledger_read_5.theirs")
    assert run("migrate", "--store", roles.owner).code == DONE
    assert ask(roles.owner, "SELECT to_regnamespace('tringledger_read_5')::text") == [(None,)]


def test_a_transaction_that_is_older_than_two_rebuilds_is_told_so_and_sees_no_empty_table(roles: Roles) -> None:
    followed(roles.service)
    with psycopg.connect(roles.reader) as analyst:
        analyst.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        analyst.execute("SELECT 1 FROM tringledger.ledger")
        rebuilt(roles.service)
        with pytest.raises(psycopg.errors.RaiseException, match="begin a new transaction"):
            analyst.execute("SELECT * FROM tringledger_read.cdrs")
