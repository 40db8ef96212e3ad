"""``tringledger export``: the command; what it writes, in which form, has tests of its own."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.command import run, spawn
from tests.support.ledgers import opened, record
from tests.support.notices import START, callstatus, cdr
from tests.support.samples import SAMPLES

DONE, USAGE = 0, 2


class TestExport:
    @pytest.fixture(autouse=True)
    def imported(self, store: str) -> None:
        run("import", str(SAMPLES / "adverse.ndjson"), "--store", store)

    @pytest.mark.parametrize(
        "model", ["calls", "cdrs", "billing", "billing-days", "voicemails", "channels", "exceptions"]
    )
    @pytest.mark.parametrize("form", ["csv", "parquet", "json", "ndjson", "xlsx"])
    def test_every_read_model_goes_out_in_every_form(self, model: str, form: str, tmp_path: Path) -> None:
        out = tmp_path / f"out.{form}"
        said = run("export", model, "--format", form, "-o", str(out))
        assert (said.code, said.out) == (DONE, "")
        assert re.fullmatch(rf"\d+ rows in {re.escape(str(out))}\n", said.err)
        assert out.stat().st_size
        assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == [out.name]

    def test_it_catches_up_first_unless_told_otherwise(self) -> None:
        assert len(run("export", "cdrs", "--no-catch-up").out.splitlines()) == 1
        assert len(run("export", "cdrs").out.splitlines()) > 1

    def test_csv_on_stdout_ends_its_lines_as_the_standard_says(self) -> None:
        rows = run("export", "cdrs").out
        assert rows.count("\r\n") == rows.count("\n") > 1
        assert rows.startswith("call_id,tag,src,ordinal,disposition,status,opened_at,answered_at,cdr_at,")

    def test_columns_are_chosen_in_their_order_whatever_the_form(self, tmp_path: Path) -> None:
        whole = run("export", "cdrs", "--format", "json").json()
        chosen = run("export", "cdrs", "--cols", "price,call_id", "--format", "json").json()
        assert [[*row.items()] for row in chosen] == [
            [("price", row["price"]), ("call_id", row["call_id"])] for row in whole
        ]
        lines = [f"{row['price']},{row['call_id']}\r\n" for row in whole]
        assert run("export", "cdrs", "--cols", "price,call_id").out == "".join(["price,call_id\r\n", *lines])
        assert run("export", "cdrs", "--cols", "price", "-o", str(tmp_path / "prices.xlsx")).code == DONE
        unknown = run("export", "cdrs", "--cols", "price,prize")
        assert (unknown.code, unknown.out) == (USAGE, "")
        assert "cdrs have no column 'prize': expected some of call_id, " in unknown.err
        assert run("export", "journal", "--format", "hledger", "--cols", "price").code == USAGE

    def test_filters_are_taken(self) -> None:
        everything = run("export", "cdrs", "--format", "json").json()
        tag = everything[0]["tag"]
        assert run("export", "cdrs", "--tag", tag, "--format", "json").json() == [
            row for row in everything if row["tag"] == tag
        ]

    def test_the_last_day_is_taken_in_on_demand_and_the_span_is_said(self) -> None:
        taken_in = run("export", "calls", "--from", "2026-10-01", "--through", "2026-10-02")
        excluded = run("export", "calls", "--from", "2026-10-01", "--to", "2026-10-03")
        assert taken_in.out == excluded.out
        assert taken_in.err == excluded.err == "1 Oct 2026 00:00 to 2 Oct 2026 24:00, UTC\n"
        assert run("export", "calls", "--through", "2026-10", "--to", "2026-10").code == USAGE

    @pytest.mark.parametrize(
        "words",
        [("cdr",), ("cdrs", "--format", "xls"), ("cdrs", "--from", "soon"), ("cdrs", "--period", "2026-13"), ()],
        ids=" ".join,
    )
    def test_what_cannot_be_meant_is_wrong_usage(self, words: tuple[str, ...]) -> None:
        said = run("export", *words)
        assert (said.code, said.out) == (USAGE, "")

    def test_as_of_a_position_it_shows_what_stood_then_and_reads_no_read_model(self, store: str) -> None:
        everything = run("export", "cdrs", "--format", "json").json()
        position = everything[1]["position"]
        assert run("export", "cdrs", "--format", "json", "--as-of", str(position)).json() == everything[:2]
        assert run("export", "cdrs", "--as-of", "2020-01-01").out.count("\n") == 1
        assert run("export", "cdrs", "--as-of", "2999-01-01").out == run("export", "cdrs").out
        for models in Path(store.removeprefix("sqlite:///")).parent.glob("*.read-*"):
            models.write_bytes(b"broken")
        assert run("export", "cdrs", "--format", "json", "--as-of", str(position)).json() == everything[:2]

    @pytest.mark.parametrize(
        ("name", "form"),
        [
            ("a.json", "json"),
            ("a.ndjson", "ndjson"),
            ("a.jsonl", "ndjson"),
            ("a.XLSX", "xlsx"),
            ("a.b.parquet", "parquet"),
        ]
        + [(name, "csv") for name in ("a.csv", "a", "json", "a.txt", "a.json.gz")],
    )
    def test_a_files_suffix_says_the_format(self, name: str, form: str, tmp_path: Path) -> None:
        for file, words in ((tmp_path / name, ()), (tmp_path / f"named-{form}", ("--format", form))):
            assert run("export", "cdrs", "-o", str(file), *words).code == DONE
        begins = [(tmp_path / file).read_bytes()[:30] for file in (name, f"named-{form}")]
        assert begins[0] == begins[1]

    @pytest.mark.parametrize("words", [("--format", "csv", "-o"), ("-o",)], ids=["before", "after"])
    def test_a_suffix_that_contradicts_the_format_is_wrong_usage(self, words: tuple[str, ...], tmp_path: Path) -> None:
        file = tmp_path / "october.xlsx"
        after = () if "--format" in words else ("--format", "csv")
        said = run("export", "cdrs", *words, str(file), *after)
        assert (said.code, said.out, file.exists()) == (USAGE, "", False)
        assert f"got csv for the file {file}; expected xlsx, or another suffix" in said.err

    @pytest.mark.parametrize("moment", ["soon", "999999", "-1"])
    def test_as_of_what_is_no_moment_of_the_log_is_wrong_usage(self, moment: str) -> None:
        said = run("export", "billing", "--as-of", moment)
        assert (said.code, said.out) == (USAGE, "")
        assert "expected" in said.err


def test_as_of_a_position_or_time_a_call_waits_as_it_did_then(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/ledger.db"
    with opened(store, clock=lambda: START) as ledger:
        record(ledger, callstatus("SRCANSWERED"))
    ask = ("export", "calls", "--waiting", "stale", "--format", "json", "--store", store)
    for moment, found in (("1", 0), ("2026-10-02", 0), ("2026-10-03", 1)):
        assert len(run(*ask, "--as-of", moment).json()) == found


class TestTheJournal:
    @pytest.fixture(autouse=True)
    def called(self, store: str) -> None:
        with opened(store, clock=lambda: START) as ledger:
            record(ledger, cdr(0, srccharge="1.5"), cdr(1, srccharge="2", tag="ops"))

    @pytest.mark.parametrize("language", ["hledger", "beancount"])
    def test_it_is_written_in_either_language(self, language: str, tmp_path: Path) -> None:
        file = tmp_path / "books"
        said = run("export", "journal", "--format", language, "-o", str(file))
        assert (said.code, said.out, said.err) == (0, "", f"2 rows in {file}\n")
        assert run("export", "journal", "--format", language).out == file.read_text()
        assert "Assets:Receivable:A-ops" in file.read_text()
        assert re.search(r"^ +Liabilities:TringMe +-0.015 USD$", file.read_text(), re.MULTILINE)

    @pytest.mark.parametrize(
        ("name", "language"),
        [("a.journal", "hledger"), ("a.hledger", "hledger"), ("a.j", "hledger"), ("a.beancount", "beancount")],
    )
    def test_the_files_suffix_says_the_language(self, name: str, language: str, tmp_path: Path) -> None:
        assert run("export", "journal", "-o", str(tmp_path / name)).code == DONE
        assert run("export", "journal", "--format", language).out == (tmp_path / name).read_text()
        said = run("export", "journal", "-o", str(tmp_path / "books.csv"))
        assert (said.code, "cannot write journal as csv" in said.err) == (USAGE, True)

    def test_it_is_of_one_account_and_month_or_as_it_was(self) -> None:
        words = ("export", "journal", "--format", "hledger")
        assert run(*words, "--account", "ops", "--period", "2026-10").out.count("2026-10-01 *") == 1
        assert run(*words, "--account", "ops", "--period", "2026-11").out.count("2026-10-01 *") == 0
        assert run(*words, "--as-of", "1").out.count("2026-10-01 *") == 1

    @pytest.mark.parametrize(
        "words",
        [("journal",), ("journal", "--format", "xlsx"), ("cdrs", "--format", "hledger")],
        ids=" ".join,
    )
    def test_other_formats_are_not_for_it_nor_its_own_for_others(self, words: tuple[str, ...]) -> None:
        said = run("export", *words)
        assert (said.code, said.out) == (2, "")
        assert "cannot write" in said.err

    @pytest.mark.parametrize("words", [("--tag", "x"), ("--from", "2026-10-01"), ("--number", "1")], ids=" ".join)
    def test_what_would_cut_a_month_is_refused(self, words: tuple[str, ...]) -> None:
        said = run("export", "journal", "--format", "beancount", *words)
        assert (said.code, said.out) == (2, "")
        assert "a journal cannot be filtered by" in said.err


@pytest.mark.parametrize(
    "words", [("journal", "--format", "hledger"), ("entries",), ("cdrs", "--as-of", "1000")], ids=" ".join
)
def test_who_reads_only_the_beginning_of_a_pipe_sees_no_complaint(words: tuple[str, ...], store: str) -> None:
    run("import", str(SAMPLES / "adverse.ndjson"), "--store", store)
    with spawn("export", *words, "--store", store, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as exporting:
        assert exporting.stdout
        assert exporting.stderr
        exporting.stdout.readline()
        exporting.stdout.close()
        assert exporting.stderr.read() == b""
    assert exporting.returncode == DONE
