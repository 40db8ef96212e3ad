"""Real services and `tringledger prove` keep the proof tree; whatever stops that, callbacks are taken."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.application.proofs.log_key import SigningSettings
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain.ledger import Ledger
from domain.proofs.checkpoint import Checkpoint, verify_checkpoint
from domain.proofs.keys import SigningKey, write_key_file
from projections.proofs.proof_store import open_proofs, path_beside
from tests.support import http_client
from tests.support.asgi_service import eventually
from tests.support.command import Server, run, serving
from tests.support.http_client import Replies, deliver
from tests.support.notices import callstatus, line, signed

KEY = SigningKey("ledger.example/calls", bytes(range(32)))
FINDING = 1


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the log's key, name it in the settings, and have each change signed at once."""
    path = tmp_path / "log.key"
    write_key_file(path, KEY)
    monkeypatch.setenv("TRINGLEDGER_LOG_KEY", str(path))
    monkeypatch.setenv("TRINGLEDGER_CHECKPOINT_SECONDS", "1")
    return path


@pytest.fixture
def ledger(store: str, log: Callable[..., str]) -> Iterator[Ledger]:
    """Record three notices."""
    assert run("migrate").code == 0
    assert run("import", log(*(line(signed(callstatus(r=number))) for number in range(3)))).code == 0
    with Ledger(store) as opened:
        yield opened


def send(server: Server, *numbers: int) -> None:
    queries, replies = [signed(callstatus(r=number)) for number in numbers], Replies()
    asyncio.run(deliver(server.port, queries, replies, connections=1))
    assert [replies[query].status for query in queries] == [200] * len(queries)


def proofs(server: Server) -> Any:
    return http_client.health(server.port)["proofs"]


def last_checkpoint(ledger: Ledger) -> Checkpoint:
    with closing(open_proofs(ledger.url, ledger.id)) as store, store.reading() as rows:
        kept = rows.last_checkpoint(1)
    assert kept
    return verify_checkpoint(kept.note, KEY.verifier).checkpoint


class TestAService:
    @pytest.mark.usefixtures("key_file")
    def test_signs_what_it_records(self, ledger: Ledger, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            send(server, 10, 11)
            eventually(lambda: proofs(server)["checkpoint_size"] == 5)
            found = proofs(server)
            assert "checkpoints are signed as ledger.example/calls" in server.said
        assert (found["origin"], found["key"], found["problem"]) == (KEY.name, KEY.verifier.text, "")
        assert last_checkpoint(ledger)[:2] == (KEY.name, 5)

    def test_without_a_key_keeps_the_tree_and_signs_nothing(self, ledger: Ledger, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            eventually(lambda: proofs(server)["size"] == ledger.head())
            assert proofs(server)["checkpoint_size"] is None
            assert http_client.health(server.port)["status"] == "ok"

    @pytest.mark.usefixtures("ledger")
    def test_signs_nothing_with_a_key_that_others_may_read_and_takes_callbacks(
        self, key_file: Path, tmp_path: Path
    ) -> None:
        key_file.chmod(0o640)
        with serving(tmp_path) as server:
            eventually(lambda: "has mode 0640; expected 0600" in proofs(server)["problem"])
            send(server, 10)
            eventually(lambda: proofs(server)["size"] == 4)
            assert http_client.health(server.port)["status"] == "degraded"
            assert proofs(server)["checkpoint_size"] is None
            assert "WARNING: no checkpoint is signed: the log's key" in server.said
            key_file.chmod(0o600)
            eventually(lambda: proofs(server)["checkpoint_size"] == 4)

    @pytest.mark.only_on("sqlite")
    @pytest.mark.usefixtures("key_file")
    def test_that_cannot_write_the_tree_takes_callbacks(self, ledger: Ledger, tmp_path: Path) -> None:
        path_beside(Path(ledger.path)).mkdir()
        with serving(tmp_path) as server:
            eventually(lambda: bool(proofs(server)["problem"]))
            send(server, 10, 11, 12)
            assert http_client.health(server.port)["status"] == "degraded"
        assert ledger.head() == 6

    @pytest.mark.only_on("sqlite")
    @pytest.mark.usefixtures("key_file")
    def test_says_that_the_log_lost_events_that_were_signed(self, ledger: Ledger, tmp_path: Path) -> None:
        assert run("prove", "--once").code == 0
        with closing(sqlite3.connect(ledger.path)) as connection, connection:
            connection.execute("DELETE FROM stored_events WHERE position = 3")
            connection.commit()
            # Into the file itself, as a backup that was restored has it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with serving(tmp_path) as server:
            eventually(lambda: bool(proofs(server)["diverged"]))
            found = http_client.health(server.port)
            assert found["status"] == "degraded"
            assert "the log ends at position 2, and its tree has 3 events" in found["proofs"]["problem"]
            send(server, 20)
        said = run("status", "--check")
        assert said.code == FINDING
        assert "the log has diverged from its proofs, and nothing is signed" in said.err


class TestSeveralProvers:
    def test_leave_the_tree_to_one_of_them_until_it_ends(self, ledger: Ledger, key_file: Path) -> None:
        settings = ProverSettings(SigningSettings(key_file))
        with Ledger(ledger.url) as other, closing(TreeKeeper(other, settings)) as second:
            with closing(TreeKeeper(ledger, settings)) as first:
                assert not first.run_once().stands_by
                found = second.run_once()
                assert (found.stands_by, found.position) == (True, 3)
            assert not second.run_once().stands_by


class TestProve:
    def test_once_takes_in_the_log_and_signs_it(self, ledger: Ledger, key_file: Path) -> None:
        said = run("prove", "--once")
        assert (said.code, said.err) == (0, "the proof tree has the log up to position 3\n")
        assert last_checkpoint(ledger).size == 3
        assert key_file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.usefixtures("ledger")
    def test_refuses_a_key_that_others_may_read(self, key_file: Path) -> None:
        key_file.chmod(0o644)
        said = run("prove", "--once")
        assert said.code == FINDING
        assert "has mode 0644; expected 0600. Others could sign with it: chmod 600" in said.err

    @pytest.mark.usefixtures("ledger", "key_file")
    def test_refuses_a_key_of_another_log(self) -> None:
        said = run("prove", "--once", TRINGLEDGER_ORIGIN="ledger.example/other")
        assert said.code == FINDING
        assert "is of the log ledger.example/calls; expected a key of ledger.example/other" in said.err
