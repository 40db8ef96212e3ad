"""``tringledger export``: the command; what it writes, in which form, has tests of its own."""

import re
from pathlib import Path

import pytest

from tests.api import tringme
from tests.api.command import run

DONE, USAGE = 0, 2


class TestExport:
    @pytest.fixture(autouse=True)
    def imported(self, store: str) -> None:
        run("import", str(tringme.SAMPLES / "adverse.ndjson"), "--store", store)

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

    def test_filters_are_taken(self) -> None:
        everything = run("export", "cdrs", "--format", "json").json()
        tag = everything[0]["tag"]
        assert run("export", "cdrs", "--tag", tag, "--format", "json").json() == [
            row for row in everything if row["tag"] == tag
        ]

    @pytest.mark.parametrize(
        "words",
        [("cdr",), ("cdrs", "--format", "xls"), ("cdrs", "--from", "soon"), ("cdrs", "--period", "2026-13"), ()],
        ids=" ".join,
    )
    def test_what_cannot_be_meant_is_wrong_usage(self, words: tuple[str, ...]) -> None:
        said = run("export", *words)
        assert (said.code, said.out) == (USAGE, "")
