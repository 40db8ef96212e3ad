"""``tringledger rebuild``: it finds what was tampered with, by how much, and mends it."""

import re
from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.ledger_inspection import change, exported
from tests.support.samples import SAMPLES

DONE, FINDING, USAGE = 0, 1, 2


class TestRebuild:
    @pytest.fixture(autouse=True)
    def imported(self, store: str) -> None:
        run("import", str(SAMPLES / "traffic.ndjson"), "--store", store)
        run("status")

    def test_a_check_of_sound_read_models_finds_nothing(self) -> None:
        said = run("rebuild", "--check")
        assert (said.code, said.out) == (DONE, "")
        assert said.err == "the read models agree with the log, up to position 214\n"

    def test_a_check_catches_up_first(self) -> None:
        run("import", str(SAMPLES / "edges.ndjson"))
        assert "up to position 214" in run("rebuild", "--check", "--no-catch-up").err
        assert "up to position 355" in run("rebuild", "--check").err

    @pytest.mark.only_on("sqlite")
    def test_a_row_that_was_changed_is_found_with_by_how_much(self, tmp_path: Path) -> None:
        change(tmp_path / "ledger.db.read-1.db", "UPDATE cdrs SET cost = cost + 2500000 WHERE position = 3")
        said = run("rebuild", "--check")
        assert (said.code, said.err) == (FINDING, "1 differences at position 214\n")
        heads, row = said.out.splitlines()
        assert heads.split() == ["read", "model", "row", "column", "read", "model", "has", "log", "says", "by"]
        model, position, _call, column, live, fresh, by = row.split()
        assert (model, position, column, by) == ("cdrs", "3,", "cost", "-2.5")
        assert float(live) - float(fresh) == 2.5

    @pytest.mark.only_on("sqlite")
    def test_a_missing_and_an_invented_row_are_found(self, tmp_path: Path) -> None:
        change(tmp_path / "ledger.db.read-1.db", "DELETE FROM calls WHERE position = 1")
        change(tmp_path / "ledger.db.read-1.db", "INSERT INTO voicemails VALUES (999, 0, '', '', '', '')")
        said = run("rebuild", "--check")
        assert (said.code, "2 differences" in said.err) == (FINDING, True)
        assert re.search(r"^calls +1 +\(row\) +present$", said.out, re.MULTILINE)
        assert re.search(r"^voicemails +999 +\(row\) +present$", said.out, re.MULTILINE)

    @pytest.mark.only_on("sqlite")
    def test_a_rebuild_tells_what_differed_and_mends_it(self, tmp_path: Path) -> None:
        before = exported()
        change(tmp_path / "ledger.db.read-1.db", "UPDATE billing SET cost = 0")
        said = run("rebuild")
        assert (said.code, "differences at position 214" in said.err) == (DONE, True)
        assert (exported(), run("rebuild", "--check").code) == (before, DONE)

    @pytest.mark.only_on("sqlite")
    def test_read_models_ahead_of_a_restored_log_are_mended_by_a_rebuild(self, tmp_path: Path) -> None:
        change(tmp_path / "ledger.db.read-1.db", "UPDATE progress SET position = 999")
        said = run("rebuild", "--check")
        assert (said.code, "ahead of the log's head" in said.err) == (FINDING, True)
        assert (run("rebuild").code, run("rebuild", "--check").code) == (DONE, DONE)

    def test_deleted_read_models_come_back_by_themselves(self, tmp_path: Path) -> None:
        before = exported()
        for file in tmp_path.glob("ledger.db.read-*"):
            file.unlink()
        assert exported() == before

    @pytest.mark.only_on("sqlite")
    def test_it_leaves_nothing_behind_but_one_generation(self, tmp_path: Path) -> None:
        for _ in range(3):
            assert run("rebuild").code == DONE
        run("rebuild", "--check")
        assert [file.name for file in tmp_path.glob("*.read-*.db")] == ["ledger.db.read-4.db"]

    def test_a_rebuild_prints_its_certificate_and_the_ledger_keeps_it(self) -> None:
        assert "there is no certificate yet" in run("certificate").err
        assert run("certificate").code == FINDING
        assert "rebuilt     never" in run("status").out
        printed = run("rebuild").out.lstrip()
        assert run("certificate").out == printed
        assert re.search(r"^events +214, positions 1 to 214, of ledger ", printed, re.MULTILINE)
        assert re.search(r"^cdrs +53 +[0-9a-f]{64}$", printed, re.MULTILINE)
        assert re.search(r"^rebuilt +20.*Z, up to position 214$", run("status").out, re.MULTILINE)
        assert run("status", "--format", "json").json()["rebuilt"] == run("certificate", "--format", "json").json()

    def test_jobs_change_who_folds_and_not_what_comes_out(self) -> None:
        alone, spread = (run("rebuild", "--jobs", jobs, "--format", "json").json() for jobs in ("1", "2"))
        assert (alone["jobs"], spread["jobs"]) == (1, 2)
        assert alone["read_models"] == spread["read_models"]

    def test_two_certificates_can_be_compared(self, tmp_path: Path) -> None:
        said = run("rebuild", "--format", "json")
        kept = tmp_path / "kept.json"
        kept.write_text(said.out)
        run("rebuild")
        agreed = run("certificate", "--compare", str(kept))
        assert (agreed.code, agreed.out, "the certificates agree: positions 1 to 214" in agreed.err) == (DONE, "", True)
        run("import", str(SAMPLES / "edges.ndjson"))
        run("rebuild")
        differ = run("certificate", "--compare", str(kept))
        assert (differ.code, bool(re.search(r"^last +355 +214$", differ.out, re.MULTILINE))) == (FINDING, True)
        kept.write_text("{}")
        assert (run("certificate", "--compare", str(kept)).code) == USAGE

    @pytest.mark.only_on("sqlite")
    def test_a_check_in_json_has_the_digests_and_what_differs(self, tmp_path: Path) -> None:
        change(tmp_path / "ledger.db.read-1.db", "UPDATE cdrs SET cost = cost + 2500000 WHERE position = 3")
        said = run("rebuild", "--check", "--format", "json")
        found = said.json()
        assert (said.code, found["found"], found["compared_at"]) == (FINDING, 1, 214)
        assert (found["differences"][0]["column"], found["differences"][0]["by"]) == ("cost", "-2.5")
        assert len(found["read_models"]["cdrs"]["digest"]) == 64
