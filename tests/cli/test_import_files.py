"""What ``tringledger import`` takes its lines from: files, patterns, compressed ones, stdin; and what a dry run foretells."""

import gzip
import socket
from contextlib import closing
from pathlib import Path

import pytest

from domain.ledger import Ledger
from domain.notices.notification import encode_query, parse_pairs
from tests.support.command import run, run_alone
from tests.support.ledger_inspection import exported, head
from tests.support.notices import KEY, OTHER_KEY, callstatus, line, notices_of_call, priced_cdr, signed
from tests.support.samples import SAMPLE_NAMES, SAMPLES, sample

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3
NONE_LEFT = "0 quarantined (0 new), 0 unreadable\n"


def lines(*numbers: int) -> str:
    return "".join([line(signed(callstatus(r=number)), f"2026-10-01T00:00:{number:02}Z") for number in numbers])


def sources(store: str) -> list[str]:
    with Ledger(store) as ledger:
        return [ledger.notice_at(position).source for position in range(1, ledger.head() + 1)]


@pytest.mark.usefixtures("store")
class TestTheFilesOfAnImport:
    def test_a_compressed_file_is_told_by_its_bytes_and_is_the_same_source(self, store: str, tmp_path: Path) -> None:
        for name in ("october.ndjson.gz", "without-a-hint"):
            (tmp_path / name).write_bytes(gzip.compress(lines(1, 2).encode()))
        said = run("import", str(tmp_path / "october.ndjson.gz"))
        assert (said.code, said.err) == (DONE, f"2 recorded, 0 duplicate, {NONE_LEFT}")
        said = run("import", str(tmp_path / "without-a-hint"))
        assert (said.code, said.err) == (DONE, f"0 recorded, 2 duplicate, {NONE_LEFT}")
        assert sources(store) == ["import:october.ndjson"] * 2

    def test_so_is_stdin(self) -> None:
        compressed = gzip.compress(lines(1).encode()) + gzip.compress(lines(2).encode())
        assert run_alone("import", "-", stdin=compressed).err == f"2 recorded, 0 duplicate, {NONE_LEFT}"

    def test_a_compressed_file_that_is_cut_off_gives_what_it_has_and_is_a_finding(self, tmp_path: Path) -> None:
        whole = gzip.compress(
            "".join([line(signed(pairs)) for n in range(400) for pairs in notices_of_call(n)]).encode()
        )
        file = tmp_path / "cut.gz"
        file.write_bytes(whole[: len(whole) // 2])
        said = run("import", str(file))
        report, summary = said.err.splitlines()
        assert said.code == FINDING
        recorded = int(summary.split()[0])
        assert 0 < recorded < 1200
        assert report.startswith(f"cut, line {recorded + 1} is unreadable: it cannot be read any further: ")
        file.write_bytes(whole)
        assert run("import", str(file)).err.startswith(f"{1200 - recorded} recorded, {recorded} duplicate, ")

    def test_several_files_and_patterns_are_each_taken_once(self, store: str, tmp_path: Path) -> None:
        for number in (1, 2, 3):
            (tmp_path / f"day-{number}.ndjson").write_text(lines(number))
        (tmp_path / "day-4.ndjson").mkdir()
        said = run("import", f"{tmp_path}/day-*.ndjson", f"{tmp_path}/day-2.ndjson")
        assert (said.code, said.err) == (DONE, f"3 recorded, 0 duplicate, {NONE_LEFT}")
        assert sources(store) == [f"import:day-{number}.ndjson" for number in (1, 2, 3)]

    def test_they_are_taken_in_order_of_time_as_rotated_logs_are_not_named(self, store: str, tmp_path: Path) -> None:
        (tmp_path / "calls.1").write_text("no notification\n" + lines(2))
        (tmp_path / "calls").write_text(lines(3))
        (tmp_path / "calls.10.gz").write_bytes(gzip.compress(lines(1).encode()))
        (tmp_path / "calls.empty").touch()
        said = run("import", f"{tmp_path}/calls*")
        assert (said.code, sources(store)) == (FINDING, ["import:calls.10", "import:calls.1", "import:calls"])

    def test_a_source_may_be_given_a_name(self, store: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_text(lines(1))
        run("import", "--source", "old handler", str(tmp_path / "a"))
        assert sources(store) == ["import:old handler"]

    def test_a_name_that_is_no_text_is_written_out(self, store: str, tmp_path: Path) -> None:
        file = tmp_path / "caf\udce9.ndjson"
        file.write_text(lines(1))
        assert (run("import", str(file)).code, sources(store)) == (DONE, [r"import:caf\xe9.ndjson"])

    def test_what_cannot_be_opened_is_wrong_usage(self, tmp_path: Path) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(str(tmp_path / "socket"))
            said = run("import", str(tmp_path / "socket"))
        assert said.code == USAGE
        assert "cannot open " in said.err

    @pytest.mark.parametrize("names", [("missing",), ("*.nothing",), ("/missing/*",), (".",), (), ("-", "there")])
    def test_what_names_no_file_is_wrong_usage_and_makes_no_ledger(
        self, names: tuple[str, ...], tmp_path: Path
    ) -> None:
        (tmp_path / "there").touch()
        assert run("import", *names).code == USAGE
        assert not (tmp_path / "ledger.db").exists()

    def test_a_name_with_a_patterns_characters_is_a_name_where_there_is_such_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "calls[1].ndjson").write_text(lines(1))
        assert run("import", str(tmp_path / "calls[1].ndjson")).code == DONE

    def test_where_no_signature_fits_it_says_how_to_find_the_formula(self) -> None:
        forged = line(signed(callstatus(r=1), OTHER_KEY))
        hint = "no signature fits: the key or the formula is wrong; `tringledger signature identify` finds the formula that would fit\n"
        assert run("import", "-", stdin=forged).err.endswith(hint)
        assert hint not in run("import", "-", stdin=forged + lines(2)).err
        assert hint not in run("import", "-").err


class TestADryRun:
    @pytest.mark.parametrize("name", SAMPLE_NAMES)
    @pytest.mark.parametrize("before", [0, 1, 100, 10_000])
    def test_it_counts_what_the_import_then_says(self, name: str, before: int, store: str, tmp_path: Path) -> None:
        file = SAMPLES / f"{name}.ndjson"
        (tmp_path / "part").write_text("".join(file.read_text().splitlines(keepends=True)[:before]))
        if before:
            run("import", str(tmp_path / "part"))
        foretold = run("import", "--dry-run", str(file))
        done = run("import", str(file))
        assert (foretold.code, foretold.err) == (done.code, f"dry run, nothing written: {done.err}")
        assert head(store) == sample(name).counts["recorded"]

    @pytest.mark.usefixtures("store")
    def test_it_makes_no_ledger(self, tmp_path: Path) -> None:
        (tmp_path / "calls").write_text(lines(1))
        assert run("import", "--dry-run", str(tmp_path / "calls")).code == DONE
        assert [path.name for path in tmp_path.iterdir()] == ["calls"]

    def test_it_changes_none(self, store: str) -> None:
        run("import", "-", stdin=lines(1))
        before = exported(), head(store), run("quarantine", "list").out
        run("import", "--dry-run", "-", stdin=lines(1, 2) + line(signed(priced_cdr(r=7, srccharge="x"))))
        assert (exported(), head(store), run("quarantine", "list").out) == before

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("forged", range(1, 6))
    @pytest.mark.parametrize("fitting", [0, 1])
    @pytest.mark.parametrize("before", range(3))
    def test_it_stops_where_the_import_would_as_the_quarantine_is_full(
        self, forged: int, fitting: int, before: int
    ) -> None:
        environment = {"TRINGLEDGER_QUARANTINE_MAX": "3"}
        forgeries = [line(signed(callstatus(r=number), OTHER_KEY)) for number in range(10, 10 + forged)]
        run("import", "-", stdin="".join(forgeries[:before]), **environment)
        given = lines(1) * fitting + "".join(forgeries * 2 if forged <= 3 else forgeries)
        foretold = run("import", "--dry-run", "-", stdin=given, **environment)
        done = run("import", "-", stdin=given, **environment)
        assert foretold.code == done.code
        assert foretold.err.removeprefix("dry run, nothing written: ") == done.err

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("before", ["", "0", "1"])
    @pytest.mark.parametrize("given", ["0110", "10", "0120", "203"])
    def test_it_foresees_a_signature_that_was_used(self, before: str, given: str) -> None:
        """The text that is signed is the same for the first three, which differ in their parameters (SPEC 9.3)."""
        readings = [
            [("tag", "salestx=9"), ("type", "cdr")],
            [("tag", "sales"), ("tx", "9"), ("type", "cdr")],
            [("tag", "sales"), ("tx", "9type=cdr")],
            [("tag", "sales"), ("type", "cdr")],
        ]
        sig = dict(parse_pairs(signed([("f", "tm"), ("src", "1858"), *readings[0]]).encode()))["sig"]
        said = [line(encode_query([("f", "tm"), ("src", "1858"), *each, ("sig", sig)]).decode()) for each in readings]
        run("import", "-", stdin="".join(said[int(number)] for number in before))
        text = "".join(said[int(number)] for number in given)
        foretold, done = run("import", "--dry-run", "-", stdin=text), run("import", "-", stdin=text)
        assert (foretold.code, foretold.err) == (done.code, f"dry run, nothing written: {done.err}")

    def test_it_refuses_a_ledger_on_other_terms_as_the_import_would(self, store: str) -> None:
        run("import", "-", stdin=lines(1))
        said = run("import", "--dry-run", "-", stdin=lines(1), TRINGLEDGER_CORRELATION="tag")
        assert (said.code, head(store)) == (USAGE, 1)

    def test_it_says_that_somebody_must_migrate_first_as_the_import_would(self, database: str) -> None:
        words = ("import", "-", "--store", database)
        foretold, done = (run(*words, *more, stdin=lines(1), TRINGME_PRIVATE_KEY=KEY) for more in (("--dry-run",), ()))
        assert (foretold.code, done.code, foretold.err) == (UNAVAILABLE, UNAVAILABLE, done.err)
        assert "`tringledger migrate` creates one" in foretold.err
