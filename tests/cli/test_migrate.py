"""``tringledger migrate``: the one command that makes tables in PostgreSQL, and what the others say until then."""

import subprocess

import psycopg
import pytest

from domain.ledger import Ledger
from tests.support.command import PROGRAM, SECONDS_MAX, run
from tests.support.database_edits import execute
from tests.support.notices import KEY, callstatus, line, signed

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'tringledger'"


@pytest.fixture
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name an empty PostgreSQL database and the private key in the environment."""
    found: str = request.getfixturevalue("database")
    monkeypatch.setenv("TRINGLEDGER_STORE", found)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    return found


@pytest.mark.only_on("sqlite", "postgres")  # A service may not migrate.
def test_migrate_says_what_it_did_and_again_that_there_was_nothing_to_do(store_url: str) -> None:
    ledger = f"ledger {store_url}, correlation tag-src, time zone UTC\n"
    schema = 3
    first, again = run("migrate", "--store", store_url), run("migrate", "--store", store_url)
    assert (first.code, first.out, first.err) == (DONE, "", f"created with schema {schema}: {ledger}")
    assert (again.code, again.out, again.err) == (DONE, "", f"schema {schema} is up to date: {ledger}")


def test_a_check_changes_nothing_and_says_what_there_is_to_migrate(empty_store_url: str) -> None:
    url = empty_store_url
    missing = run("migrate", "--check", "--store", url)
    assert (missing.code, missing.out) == (
        FINDING,
        f"there is no ledger at {url}: `tringledger migrate` creates one\n",
    )
    run("migrate", "--store", url)
    done = run("migrate", "--check", "--store", url)
    assert (done.code, done.out, done.err) == (DONE, "", "nothing is to be migrated\n")
    execute(url, "UPDATE ledger SET value = '2' WHERE name = 'schema'")
    older = run("migrate", "--check", "--store", url)
    assert (older.code, older.out) == (
        FINDING,
        f"the ledger at {url} has schema 2: `tringledger migrate` brings it to 3\n",
    )
    execute(url, "UPDATE ledger SET value = '4' WHERE name = 'schema'")
    commands = (("migrate", "--check"), ("migrate",), ("serve", "--port", "0"))
    newer = [run(*words, "--store", url, TRINGME_PRIVATE_KEY=KEY) for words in commands]
    refusal = "has schema 4, and this version of tringledger knows 3: use the newer tringledger that made it so"
    assert [(said.code, refusal in said.err) for said in newer] == [(USAGE, True)] * 3


def test_a_check_finds_read_models_of_another_form_in_postgresql(url: str) -> None:
    run("migrate")
    with psycopg.connect(url) as connection:
        connection.execute("COMMENT ON SCHEMA tringledger_read IS 'read models of tringledger, schema 1'")
    said = run("migrate", "--check")
    assert (said.code, "have the form of another version: `tringledger migrate` makes" in said.out) == (FINDING, True)


def test_the_settings_of_that_moment_are_the_ledgers_for_ever(store_url: str) -> None:
    settings = {
        "TRINGLEDGER_STORE": store_url,
        "TRINGLEDGER_TIMEZONE": "Europe/Berlin",
        "TRINGLEDGER_CORRELATION": "tag",
    }
    assert "correlation tag, time zone Europe/Berlin" in run("migrate", **settings).err
    with Ledger(store_url) as ledger:
        assert (ledger.correlation, ledger.timezone) == ("tag", "Europe/Berlin")
    said = run("migrate", "--store", store_url, TRINGLEDGER_TIMEZONE="UTC")
    assert (said.code, "created with timezone Europe/Berlin" in said.err) == (USAGE, True)


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("serve", "--workers", "2"), ("import", "-"), ("status",)])
def test_no_other_command_makes_tables_in_postgresql(url: str, words: tuple[str, ...]) -> None:
    said = run(*words, stdin=line(signed(callstatus())))
    assert (said.code, said.out) == (UNAVAILABLE, "")
    assert said.err == f"tringledger: there is no ledger at {url}: `tringledger migrate` creates one\n"
    with psycopg.connect(url) as connection:
        assert connection.execute(TABLES).fetchone() == (0,)


@pytest.mark.thorough
def test_several_at_one_moment_make_one_ledger(url: str) -> None:
    pipe = subprocess.PIPE
    running = [subprocess.Popen([PROGRAM, "migrate"], stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    said = [each.communicate(timeout=SECONDS_MAX) for each in running]
    assert [each.returncode for each in running] == [DONE] * 3, said
    assert run("import", "-", stdin=line(signed(callstatus()))).code == DONE
    with Ledger(url) as ledger:
        assert ledger.head() == 1


def test_migrate_needs_no_private_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRINGME_PRIVATE_KEY")
    assert run("migrate", "--store", url).code == DONE
