"""Ledgers that an earlier version made mean what they meant: see README.md.

Each is opened by the present code in every way in which a user's ledger is: its read models caught up from nothing,
rebuilt, rebuilt beside those that the earlier version left; on SQLite, and copied into PostgreSQL. All outputs must be the
same, byte for byte. So it is for the store that the earlier version had in PostgreSQL, and for a ledger that is made anew from an archive.
"""

import json
import os
import shutil
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from starlette.testclient import TestClient

from api import settings
from api.service import Service
from domain.ledger import Ledger
from tests.golden.outputs import API, CERTIFICATE, GOLDEN, LEDGERS, SIGN_IN, USERS, WORDS, Output
from tests.support.archives import archived
from tests.support.command import run

NAMES = tuple(LEDGERS)
NOT_COPIED = {"certificate-then.json"}  # It was said of read models, which a copy makes anew.
# What an archive does not have: the quarantine, what was forwarded, and of when a certificate was.
NOT_ARCHIVED = ("quarantine-", "forward-", "certificate-then")
# What a certificate says of events and read models; when, how and by which version it was made is another matter.
CERTIFIED = ("ledger", "first", "last", "events", "read_models", "money")


class Opened(NamedTuple):
    """A golden ledger that is ready for the present code: its files, and the address of the copy to look at."""

    files: Path
    url: str
    outputs: dict[str, Output]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Look at the ledgers only: without keys, and where no other store is at hand."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TRINGLEDGER_", "TRINGME_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRINGLEDGER_SIGNATURE", "off")


@pytest.fixture(params=NAMES)
def on_sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Return a golden ledger as a user has it after an upgrade: the log's file alone."""
    files = GOLDEN / request.param
    shutil.copyfile(files / "ledger.sqlite", tmp_path / "ledger.db")
    return _migrated(Opened(files, f"sqlite:///{tmp_path}/ledger.db", LEDGERS[request.param]))


@pytest.fixture
def on_postgres(on_sqlite: Opened, database: str) -> Opened:
    """Return a golden ledger that was copied into PostgreSQL."""
    done = run("copy", on_sqlite.url, database)
    assert done.code == 0, done.err
    outputs = {file: output for file, output in on_sqlite.outputs.items() if file not in NOT_COPIED}
    return on_sqlite._replace(url=database, outputs=outputs)


@pytest.fixture(params=NAMES)
def in_postgres(request: pytest.FixtureRequest, database: str) -> Opened:
    """Return a golden ledger as a user has it in PostgreSQL after an upgrade: the log's schema, as the earlier version made it."""
    files = GOLDEN / request.param
    with psycopg.connect(database) as connection:
        connection.execute((files / "ledger.postgres.sql").read_bytes())
    assert run("status", "--store", database).code == 1, "it is of an older schema"
    outputs = {file: output for file, output in LEDGERS[request.param].items() if file not in NOT_COPIED}
    return _migrated(Opened(files, database, outputs))


@pytest.fixture
def archive(on_sqlite: Opened, tmp_path: Path) -> Opened:
    """Return a golden ledger of whose events there is an archive, in the folder ``archive``."""
    with Ledger(on_sqlite.url) as ledger:
        archived(ledger, tmp_path / "archive")
    outputs = {file: output for file, output in on_sqlite.outputs.items() if not file.startswith(NOT_ARCHIVED)}
    return on_sqlite._replace(outputs=outputs)


def made_anew(archive: Opened, url: str) -> Opened:
    """Return a golden ledger that was made anew from its archive at a store's URL."""
    done = run("archive", "restore", "archive", url)
    assert done.code == 0, done.err
    return archive._replace(url=url)


def differences(opened: Opened) -> list[str]:
    """Make every output anew; return for each that differs from the kept file where it first does."""
    found = (_difference(file, opened, output) for file, output in opened.outputs.items())
    return [difference for difference in found if difference]


def rebuilt(opened: Opened) -> list[str]:
    """Rebuild the read models; return what differs then, the certificate included."""
    done = run("rebuild", "--jobs", "1", "--store", opened.url)
    assert done.code == 0, done.err
    made = run("certificate", "--format", "json", "--store", opened.url).json()
    wanted = json.loads((opened.files / CERTIFICATE).read_bytes())
    certified = [f"{CERTIFICATE}: {name}" for name in CERTIFIED if made[name] != wanted[name]]
    outputs = {file: output for file, output in opened.outputs.items() if file not in NOT_COPIED}
    return certified + differences(opened._replace(outputs=outputs))


def _difference(file: str, opened: Opened, output: Output) -> str:
    stdin = (opened.files / output.stdin).read_bytes() if output.stdin else b""
    done = run(*output.arguments, stdin=stdin, TRINGLEDGER_STORE=opened.url)
    if done.code != output.code:
        return f"{file}: got exit code {done.code}; expected {output.code} ({done.err.strip()})"
    made, wanted = done.out, (opened.files / file).read_bytes().decode()
    if file.startswith("explain"):
        made, wanted = (_without_words(json.loads(text)) for text in (made, wanted))
    if made == wanted:
        return ""
    lines = zip_longest(made.splitlines(), wanted.splitlines())
    number, (got, expected) = next((line for line in enumerate(lines, 1) if line[1][0] != line[1][1]), (0, ("", "")))
    return f"{file}, line {number}: got {got!r}; expected {expected!r}"


def _without_words(document: Any) -> str:
    """Return a document as text, without the sentences in it."""

    def bare(part: Any) -> Any:
        if isinstance(part, list):
            return [bare(item) for item in part]
        return (
            {name: bare(value) for name, value in part.items() if name not in WORDS} if isinstance(part, dict) else part
        )

    return json.dumps(bare(document), indent=2)


def _migrated(opened: Opened) -> Opened:
    done = run("migrate", "--store", opened.url)
    assert done.code == 0, done.err
    return opened


class TestAGoldenLedgerOnSQLite:
    def test_gives_the_same_outputs_when_its_read_models_are_caught_up_from_nothing(self, on_sqlite: Opened) -> None:
        assert differences(on_sqlite) == []

    def test_gives_the_same_outputs_after_a_rebuild_with_the_same_certificate(self, on_sqlite: Opened) -> None:
        assert rebuilt(on_sqlite) == []

    def test_asks_for_one_rebuild_when_its_own_version_left_the_read_models_half_way_and_then_gives_the_same_outputs(
        self, on_sqlite: Opened, tmp_path: Path
    ) -> None:
        # They do not say which log they were made of: they are made anew, never adopted.
        shutil.copyfile(on_sqlite.files / "read-models-half-way.sqlite", tmp_path / "ledger.db.read-2.db")
        for command in (("export", "billing"), ("status", "--check"), ("rebuild", "--check", "--jobs", "1")):
            done = run(*command, "--store", on_sqlite.url)
            assert (done.code, "run `tringledger rebuild`" in done.err) == (1, True), command
        assert rebuilt(on_sqlite) == []

    def test_is_found_to_be_in_order_by_a_check_of_its_read_models(self, on_sqlite: Opened) -> None:
        done = run("rebuild", "--check", "--jobs", "1", "--store", on_sqlite.url)
        assert done.code == 0, done.out + done.err


@pytest.mark.thorough
class TestAGoldenLedgerThatWasInPostgreSQL:
    def test_gives_the_same_outputs_and_the_same_certificate(self, in_postgres: Opened) -> None:
        assert rebuilt(in_postgres) == []


class TestAGoldenLedgerCopiedIntoPostgreSQL:
    @pytest.mark.thorough
    def test_gives_the_same_outputs_when_its_read_models_are_caught_up_from_nothing(self, on_postgres: Opened) -> None:
        assert differences(on_postgres) == []

    @pytest.mark.thorough
    def test_gives_the_same_outputs_after_a_rebuild_with_the_same_certificate(self, on_postgres: Opened) -> None:
        assert rebuilt(on_postgres) == []


@pytest.mark.thorough
class TestAGoldenLedgerMadeAnewFromItsArchive:
    def test_gives_the_same_outputs_and_the_same_certificate(self, archive: Opened) -> None:
        assert rebuilt(made_anew(archive, "sqlite:///anew.db")) == []

    @pytest.mark.parametrize("on_sqlite", ["ledger-2"], indirect=True)
    def test_gives_the_same_outputs_and_the_same_certificate_in_postgresql(
        self, archive: Opened, database: str
    ) -> None:
        assert rebuilt(made_anew(archive, database)) == []


@pytest.fixture
def with_users(tmp_path: Path) -> Opened:
    """Return the golden ledger that has users beside it."""
    files = GOLDEN / "ledger-1"
    shutil.copyfile(files / "ledger.sqlite", tmp_path / "ledger.db")
    shutil.copyfile(files / "access.sqlite", tmp_path / "ledger.db.access.db")
    return _migrated(Opened(files, f"sqlite:///{tmp_path}/ledger.db", USERS))


class TestTheUsersOfAGoldenLedger:
    def test_are_known_with_their_roles_and_what_was_done_to_them(self, with_users: Opened) -> None:
        assert differences(with_users) == []

    def test_get_the_same_answers_of_the_api_with_the_token_that_they_had(self, with_users: Opened) -> None:
        assert run("export", "billing", "--store", with_users.url).code == 0  # Caught up before anything is asked.
        service = Service(settings.load_settings({"TRINGLEDGER_STORE": with_users.url, "TRINGLEDGER_SIGNATURE": "off"}))
        token = (with_users.files / SIGN_IN).read_text().strip()
        with TestClient(service.app, headers={"Authorization": f"Bearer {token}"}) as client:
            answers = {file: client.get(url) for file, url in API.items()}
        made = {file: answer.content for file, answer in answers.items()}
        kept = {file: (with_users.files / file).read_bytes() for file in API}
        assert [file for file in API if made[file] != kept[file]] == []


class TestEveryKeptOutput:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_compared_by_some_test(self, name: str) -> None:
        kept = {file.name for file in (GOLDEN / name).iterdir() if file.suffix not in {".sqlite", ".sql"}}
        users = {*USERS, *API, SIGN_IN} if name == "ledger-1" else set()
        inputs = {output.stdin for output in LEDGERS[name].values()} - {""}
        assert kept == {*LEDGERS[name], *users, *inputs, CERTIFICATE}
