"""``tringledger proof`` makes proofs of a ledger, and ``tringledger verify`` checks them with the public key alone."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from domain.proofs.keys import SigningKey, write_key_file
from projections.proofs.proof_store import path_beside
from tests.support.command import Said, run
from tests.support.ledger_inspection import head
from tests.support.notices import callstatus, line, priced_cdr, signed

DONE, FINDING, USAGE = 0, 1, 2
KEY = SigningKey("ledger.example/calls", bytes(range(32)))
VKEY = KEY.verifier.text
OTHER_VKEY = SigningKey(KEY.name, bytes(32)).verifier.text
MONTH, AT = "2024-10", "2024-10-15T12:00:00.000000Z"


def record(*notices: list[tuple[str, str]]) -> None:
    assert run("import", "-", stdin="".join(line(signed(pairs), AT) for pairs in notices)).code == DONE


def record_calls(first: int, count: int) -> None:
    """Record whole calls of one account, with a CDR each."""
    for number in range(first, first + count):
        r = number * 10
        record(callstatus(r=r), callstatus(r=r + 1, status="COMPLETED"), priced_cdr(r=r + 2, status="COMPLETED"))


@pytest.fixture(autouse=True)
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log.key"
    write_key_file(path, KEY)
    monkeypatch.setenv("TRINGLEDGER_LOG_KEY", str(path))
    return path


def prove() -> None:
    said = run("prove", "--once", TRINGLEDGER_CHECKPOINT_SECONDS="1")
    assert said.code == DONE, said.err


def written(*arguments: str) -> Path:
    """Run a command of ``proof`` that writes a file, and return the file."""
    path = Path(f"{arguments[0]}.out")
    said = run("proof", *arguments, "-o", str(path))
    assert said.code == DONE, said.err
    return path


def verified(*arguments: str | Path, key: str = VKEY) -> Said:
    return run("verify", *map(str, arguments), "--key", key)


class TestAnEmptyLedger:
    def test_has_no_proofs_and_says_who_makes_them(self, store: str) -> None:
        run("migrate")
        assert store
        said = run("proof", "checkpoint")
        assert said.code == FINDING
        assert "has no proofs yet: `tringledger serve` or `tringledger prove` makes them" in said.err

    @pytest.mark.usefixtures("store")
    def test_has_a_tree_that_nobody_signed_where_there_is_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TRINGLEDGER_LOG_KEY")
        run("migrate")
        record(callstatus(r=1))
        prove()
        said = run("proof", "checkpoint")
        assert (said.code, "no checkpoint was signed yet (the tree has 1 events)" in said.err) == (FINDING, True)
        assert run("proof", "verify").code == DONE


class TestAKey:
    @pytest.mark.usefixtures("store")
    def test_is_generated_for_the_ledger_and_read_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run("migrate")
        made = run("proof", "key", "--generate", "new.key")
        assert made.code == DONE
        assert Path("new.key").stat().st_mode & 0o777 == 0o600
        assert made.out.startswith("tringledger/")
        assert run("proof", "key", "--generate", "new.key").code == FINDING
        monkeypatch.setenv("TRINGLEDGER_LOG_KEY", "new.key")
        assert run("proof", "key").out == made.out
        record(callstatus(r=1))
        prove()
        assert verified(written("checkpoint"), key=made.out.strip()).code == DONE

    @pytest.mark.usefixtures("store")
    def test_that_is_not_named_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run("migrate")
        monkeypatch.delenv("TRINGLEDGER_LOG_KEY")
        said = run("proof", "key")
        assert (said.code, "TRINGLEDGER_LOG_KEY is not set" in said.err) == (USAGE, True)


class TestProofsOfEvents:
    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        self.store = store
        run("migrate")
        record(*(callstatus(r=number) for number in range(5)))
        prove()

    def test_hold_with_the_event_and_the_public_key_alone(self) -> None:
        proof = written("event", "3", "--event-file", "event.json")
        said = verified(proof, "--event", "event.json")
        assert (said.code, said.err) == (DONE, "it holds\n")
        assert "as in the event given" in said.out

    def test_fail_with_another_event_another_key_and_each_changed_byte(self) -> None:
        proof = written("event", "3", "--event-file", "event.json")
        written("event", "2", "--event-file", "other.json")
        run("proof", "event", "3", "-o", str(proof))
        assert verified(proof, "--event", "other.json").code == FINDING
        assert verified(proof, "--event", "event.json", key=OTHER_VKEY).code == FINDING
        raw = proof.read_bytes()
        for place in range(0, len(raw), 7):
            proof.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
            assert verified(proof, "--event", "event.json").code == FINDING, place

    def test_are_refused_beyond_the_checkpoint(self) -> None:
        record(callstatus(r=99))
        said = run("proof", "event", "6")
        assert (said.code, "position 6 is not in the last checkpoint" in said.err) == (FINDING, True)

    def test_show_that_the_log_continues_an_older_checkpoint(self, monkeypatch: pytest.MonkeyPatch) -> None:
        older = written("checkpoint").rename("older")
        record(callstatus(r=50), callstatus(r=51))
        monkeypatch.setattr("projections.proofs.prover.Prover._is_due", lambda *_: True)
        prove()
        hashes = written("consistency", "older", "--checkpoint-file", "newer")
        said = verified("newer", "--older", older, "--hashes", hashes)
        assert (said.code, "nothing that it covers was changed" in said.out) == (DONE, True)
        hashes.write_bytes(hashes.read_bytes()[45:])
        assert verified("newer", "--older", older, "--hashes", hashes).code == FINDING


@pytest.mark.only_on("sqlite")
class TestTheFullCheck:
    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        self.path = store.removeprefix("sqlite:///")
        run("migrate")
        record_calls(1, 3)
        prove()

    def tamper(self, statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, parameters)

    def test_of_an_honest_log_finds_nothing_and_checks_signatures_with_the_key_at_hand(self) -> None:
        said = run("proof", "verify")
        assert (said.code, said.out) == (DONE, "")
        assert said.err == "the log holds: 9 events, 1 checkpoints, 9 signatures\n"

    def test_names_a_changed_event_thrice_by_tree_key_and_signature(self) -> None:
        self.tamper(
            "UPDATE stored_events SET state = replace(CAST(state AS TEXT), 'COMPLETED', 'ANSWERED') WHERE position = 5"
        )
        self.tamper("UPDATE stored_events SET state = CAST(state AS BLOB) WHERE position = 5")
        said = run("proof", "verify")
        assert said.code == FINDING
        assert [text.split("\t")[0] for text in said.out.splitlines()] == ["5", "5", "5"]
        assert "does not fit its delivery key" in said.out
        assert "does not fit its signature (md5-params)" in said.out

    def test_names_a_change_even_where_the_tree_was_made_from_it(self) -> None:
        path_beside(Path(self.path)).unlink()
        self.tamper(
            "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), 'COMPLETED', 'ANSWERED') AS BLOB) WHERE position = 2"
        )
        prove()
        said = run("proof", "verify", TRINGME_PRIVATE_KEY="")
        assert said.code == FINDING
        assert [text.split("\t")[0] for text in said.out.splitlines()] == ["2"]
        found = run("proof", "verify", "--format", "json").json()
        assert (found["holds"], [each["position"] for each in found["findings"]]) == (False, [2, 2])

    def test_names_delivery_keys_that_were_swapped_and_finds_one_that_belongs_to_no_event(self) -> None:
        self.tamper("UPDATE delivery_keys SET position = 7 - position WHERE position IN (3, 4)")
        said = run("proof", "verify")
        assert [text.split("\t")[0] for text in said.out.splitlines()] == ["3", "4"]
        self.tamper("UPDATE delivery_keys SET position = 7 - position WHERE position IN (3, 4)")
        assert run("proof", "verify").code == DONE
        # A callback with this key would be answered as a duplicate, and never be recorded.
        self.tamper("INSERT INTO delivery_keys VALUES (?, 4)", b"k" * 32)
        said = run("proof", "verify")
        assert (said.code, said.out.split("\t")[0]) == (FINDING, "-")
        assert "the delivery keys are not those of the notices: some belong to no event" in said.out

    def test_finds_a_log_and_proofs_restored_together_by_a_checkpoint_from_outside(self) -> None:
        files = [Path(self.path), path_beside(Path(self.path))]
        before = {file: file.read_bytes() for file in files}
        record_calls(10, 2)
        Path("log.checkpoint").write_bytes(b"")
        said = run("prove", "--once")
        with closing(sqlite3.connect(files[1])) as connection, connection:
            connection.execute("UPDATE checkpoints SET signed_at = 0")
        said = run("prove", "--once")
        assert said.code == DONE
        later = written("checkpoint")
        for file, content in before.items():
            file.with_name(file.name + "-wal").unlink(missing_ok=True)
            file.with_name(file.name + "-shm").unlink(missing_ok=True)
            file.write_bytes(content)
        assert run("proof", "verify").code == DONE, "nothing inside can show it"
        said = run("proof", "verify", "--checkpoint", str(later))
        assert (said.code, "says size 15; the tree has 9: later events are lost" in said.out) == (FINDING, True)


@pytest.mark.only_on("sqlite")
class TestAForkedLog:
    @pytest.fixture(autouse=True)
    def lost(self, store: str) -> None:
        """Sign six events, lose the last two, and record three others."""
        self.store, self.path = store, store.removeprefix("sqlite:///")
        run("migrate")
        record(*(callstatus(r=number) for number in range(6)))
        prove()
        self.signed = written("checkpoint").rename("signed")
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("DELETE FROM stored_events WHERE position > 4")
            connection.execute("DELETE FROM delivery_keys WHERE position > 4")
        record(*(callstatus(r=number) for number in range(20, 23)))

    def test_is_not_signed_until_an_operator_decides(self) -> None:
        said = run("prove", "--once")
        assert (said.code, "is not the one in the tree" in said.err) == (FINDING, True)
        said = run("proof", "fork", "--by", "kim", "--reason", "disk lost")
        assert (
            said.err == "epoch 2 of the proofs has begun: the log is ledger.example/calls/2 now, from position 4 on\n"
        )
        prove()
        assert head(self.store) == 8
        second = written("checkpoint")
        vkey = run("proof", "key").out.strip()
        assert vkey.startswith("ledger.example/calls/2+")
        assert verified(second, key=vkey).code == DONE
        assert verified(second).code == FINDING, "the old name's key must not pass for the new log"
        assert run("proof", "verify").code == DONE
        forked = run("tail", "--from", "8", "--no-follow").out
        assert "log-forked" in forked
        assert "disk lost" in forked

    def test_is_forked_once_for_one_loss_and_again_for_another(self) -> None:
        assert run("proof", "fork", "--by", "kim", "--reason", "lost").code == DONE
        prove()
        said = run("proof", "fork", "--by", "kim", "--reason", "again")
        assert (said.code, "nothing to fork" in said.err) == (FINDING, True)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("DELETE FROM stored_events WHERE position > 7")
        assert run("proof", "fork", "--by", "kim", "--reason", "again").err.startswith("epoch 3")
        prove()
        assert run("proof", "verify").code == DONE
        assert "ledger.example/calls/3\n" in written("checkpoint").read_text()

    def test_is_not_forked_over_a_change_in_place(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("UPDATE stored_events SET state = state || ' ' WHERE position = 2")
        said = run("proof", "fork", "--by", "kim", "--reason", "lost")
        assert said.code == FINDING
        assert "the event at position 2 was changed in place, and later ones were not: restore a backup" in said.err


@pytest.mark.only_on("sqlite")
class TestALedgerThatLostItsProofs:
    @pytest.mark.usefixtures("store")
    def test_adopts_the_checkpoint_that_it_holds_and_no_other(self, store: str) -> None:
        run("migrate")
        record(*(callstatus(r=number) for number in range(6)))
        prove()
        kept = written("checkpoint").rename("kept")
        path_beside(Path(store.removeprefix("sqlite:///"))).unlink()
        assert run("prove", "--once", TRINGLEDGER_LOG_KEY="").code == DONE
        forged = kept.read_bytes().replace(b"\n6\n", b"\n5\n")
        Path("forged").write_bytes(forged)
        assert run("proof", "adopt", "forged", "--key", VKEY).code == FINDING
        assert run("proof", "adopt", "kept").code == FINDING, "no key is known"
        said = run("proof", "adopt", "kept", "--key", VKEY)
        assert (
            said.err == "the tree holds the checkpoint of ledger.example/calls of size 6, and is signed from now on\n"
        )
        assert written("checkpoint").read_bytes() == kept.read_bytes()


class TestPublication:
    def test_writes_each_file_once_and_the_checkpoint_last(self, store: str) -> None:
        assert store
        run("migrate")
        record(*(callstatus(r=number) for number in range(300)))
        prove()
        said = run("proof", "publish", "www")
        files = sorted(str(path.relative_to("www")) for path in Path("www").rglob("*") if path.is_file())
        assert files == [
            "checkpoint",
            "tile/0/000",
            "tile/0/001.p/44",
            "tile/1/000.p/1",
            "tile/entries/000",
            "tile/entries/001.p/44",
        ]
        assert "6 files written" in said.err
        assert "1 files written" in run("proof", "publish", "www").err


class TestABillBundle:
    @pytest.fixture(autouse=True)
    def billed(self, store: str) -> None:
        assert store
        run("migrate")
        record_calls(1, 4)
        prove()

    def test_proves_the_bill_with_the_public_key_alone(self) -> None:
        account = run("export", "billing", "--format", "csv").out.splitlines()[1].split(",")
        bundle = written("bill", "--account", account[0], "--period", MONTH)
        found = run("verify", str(bundle), "--key", VKEY, "--format", "json")
        assert found.code == DONE, found.err
        said = found.json()
        header = run("export", "billing", "--format", "csv").out.splitlines()[0].split(",")
        row = dict(zip(header, account, strict=True))
        assert (said["cost"], said["price"], said["entries"]) == (row["cost"], row["price"], "4")
        assert said["events"] == "12"

    def test_is_refused_with_any_byte_changed(self, tmp_path: Path) -> None:
        account = run("export", "billing", "--format", "csv").out.splitlines()[1].split(",")[0]
        raw = written("bill", "--account", account, "--period", MONTH).read_bytes()
        changed = tmp_path / "changed.zip"
        for place in range(0, len(raw), max(len(raw) // 150, 1)):
            changed.write_bytes(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :])
            said = verified(changed)
            assert said.code == FINDING, place
            assert said.err.startswith("tringledger: ")

    def test_of_a_call_proves_its_events(self) -> None:
        call = run("export", "calls", "--format", "csv").out.splitlines()[1].split(",")[0]
        found = verified(written("call", call))
        assert (found.code, call in found.out) == (DONE, True)

    def test_of_nothing_is_refused(self) -> None:
        said = run("proof", "bill", "--account", "nobody", "--period", MONTH)
        assert (said.code, "has nothing to prove of nobody 2024-10" in said.err) == (FINDING, True)

    def test_is_verified_without_a_store_a_network_or_a_database_library(self, tmp_path: Path) -> None:
        account = run("export", "billing", "--format", "csv").out.splitlines()[1].split(",")[0]
        bundle = written("bill", "--account", account, "--period", MONTH).absolute()
        elsewhere = tmp_path / "auditor"
        elsewhere.mkdir()
        code = (
            "import sys; from pathlib import Path\n"
            "from api.application.proofs.offline_verification import OfflineFiles, read_trust, verify_files\n"
            f"print(verify_files(OfflineFiles(Path({str(bundle)!r}).read_bytes()), read_trust({VKEY!r}, [], None))[0])\n"
            "loaded = {'sqlalchemy', 'httpx2', 'sqlite3', 'psycopg'} & sys.modules.keys()\n"
            "assert not loaded, loaded"
        )
        command = [sys.executable, "-c", code]
        root = str(Path(__file__).parents[2])
        done = subprocess.run(
            command, cwd=elsewhere, env={"PYTHONPATH": root}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert account in done.stdout
        assert [*elsewhere.iterdir()] == []
