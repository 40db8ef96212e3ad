"""Copies carry the proofs and do not sign by themselves; rebuilds and copies refuse a log that does not hold."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from domain.ledger import Ledger
from domain.proofs.keys import SigningKey, write_key_file
from projections.proofs.proof_store import open_proofs
from projections.proofs.tree_rows import ProofState
from tests.support.command import run
from tests.support.notices import callstatus, line, signed

DONE, FINDING = 0, 1
KEY = SigningKey("ledger.example/calls", bytes(range(32)))


def record(*numbers: int) -> None:
    assert run("import", "-", stdin="".join(line(signed(callstatus(r=number))) for number in numbers)).code == DONE


@pytest.fixture(autouse=True)
def proven(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "log.key"
    write_key_file(path, KEY)
    monkeypatch.setenv("TRINGLEDGER_LOG_KEY", str(path))
    run("migrate")
    record(*range(300))
    assert run("prove", "--once").code == DONE
    return store


def tree(url: str) -> tuple[ProofState, bytes]:
    with Ledger(url) as ledger, closing(open_proofs(url, ledger.id)) as store, store.reading() as rows:
        state = rows.state()
        return state, rows.reader(state).root(state.size)


def tamper(store: str) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE position = 7")


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of another, empty store, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{Path('copied.db').absolute()}"
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield url


class TestACopy:
    def test_has_the_tree_of_its_source_and_signs_once_it_is_adopted(
        self, proven: str, target: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkpoint = run("proof", "checkpoint", "-o", "source.checkpoint")
        assert checkpoint.code == DONE
        said = run("copy", proven, target)
        assert said.code == DONE, said.err
        assert "it holds against its proofs of 300 events; it signs none until" in said.err
        (source, root), (copied, same) = tree(proven), tree(target)
        assert (copied.size, same, copied.origin) == (source.size, root, KEY.name)
        assert copied.mark.startswith("copied from ")
        monkeypatch.setenv("TRINGLEDGER_STORE", target)
        monkeypatch.setattr("projections.proofs.prover.Prover._is_due", lambda _, state, *__: not state.mark)
        record(1000)
        assert run("prove", "--once").code == DONE
        assert run("proof", "checkpoint").out == Path("source.checkpoint").read_text()
        assert run("status", "--format", "json").json()["proofs"]["copy"] is True
        assert run("proof", "adopt", "source.checkpoint").code == DONE
        assert run("prove", "--once").code == DONE
        assert "\n301\n" in run("proof", "checkpoint").out

    @pytest.mark.only_on("sqlite")
    def test_of_a_log_that_does_not_hold_is_refused_unless_asked_for(self, proven: str) -> None:
        tamper(proven)
        said = run("copy", proven, "sqlite:///copied.db")
        assert said.code == FINDING
        assert "does not hold against its proofs: the event at position 7 is not the event in the tree" in said.err
        said = run("copy", proven, "sqlite:///copied.db", "--unproven")
        assert (said.code, "IT DOES NOT HOLD against its proofs" in said.err) == (DONE, True)


class TestARebuild:
    def test_names_size_and_root_of_the_tree_in_its_certificate(self, proven: str) -> None:
        assert run("rebuild").code == DONE
        _, root = tree(proven)
        assert run("certificate", "--format", "json").json()["tree"] == {"size": 300, "root": root.hex(), "holds": True}
        assert f"300 events, root {root.hex()}" in run("certificate").out

    @pytest.mark.only_on("sqlite")
    def test_of_a_log_that_does_not_hold_is_refused_unless_asked_for_and_says_so(self, proven: str) -> None:
        tamper(proven)
        said = run("rebuild")
        assert said.code == FINDING
        assert "the event at position 7 is not the event in the tree" in said.err
        assert "--unproven continues anyway" in said.err
        assert run("certificate", "--format", "json").code != DONE
        assert run("rebuild", "--unproven").code == DONE
        assert run("certificate", "--format", "json").json()["tree"]["holds"] is False
        assert "THE LOG DOES NOT HOLD" in run("certificate").out
