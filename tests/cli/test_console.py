"""What came over the wire, shown to a person: it moves no cursor, rings no bell, is no markup, and is all there."""

import re

import pytest

from api.cli import console
from api.cli.console import print_table
from tests.support.command import run
from tests.support.notices import OTHER_KEY, callstatus, encoded, line, signature, signed

pytestmark = pytest.mark.only_on("sqlite")  # Nothing here depends on the store.

MOVES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
NASTY = {
    "an escape sequence": "\x1b[2J\x1b[1;31mred",
    "one in a single character": "\x9b2Jred",
    "a bell and a backspace": "sales\a\b\b",
    "a line of its own": "sales\r\n1  recorded",
    "the other way round": "\u202eemca",
    "a bracket": "[/]",
    "a bracket after a backslash": "\\[/]",
    "markup": "[bold red]sales[/bold red]",
    "markup after a backslash": "\\[bold]sales",
    "a link": "[link=http://x.example]sales[/link]",
    "an emoji's name": ":phone:",
    "a backslash at the end": "sales\\",
}
nasty = pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)


def shown(text: str) -> str:
    """Return how a text must appear: as it is, but for what moves the cursor."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def is_tame(output: str) -> bool:
    return not MOVES.search(output)


class TestATable:
    @nasty
    def test_a_cell_shows_its_text_whole(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(["tag", "src"], [[text, 1]])
        out = capsys.readouterr().out
        assert is_tame(out)
        assert re.fullmatch(rf"tag +src\n{re.escape(shown(text))} +1\n", out)

    def test_nothing_is_cut_off_however_long(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(["value", ""], [["x" * 9000, None]])
        assert capsys.readouterr().out.splitlines()[1] == "x" * 9000

    def test_printed_plainly_it_is_what_rich_draws(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tables: list[tuple[list[str], list[list[object]]]] = [
            (["tag", "src", ""], [[text, number, None] for number, text in enumerate(NASTY.values())]),
            (["tag", "src"], [["Zürich Büro", "電話番号"], ["電話", 1], ["👍🏽 ok", "e\u0301"]]),
            (["", ""], [["a", "bb"], ["", "b"]]),
            (["a", "b"], []),
        ]
        for columns, rows in tables:
            print_table(columns, rows)
            plainly = capsys.readouterr().out
            with monkeypatch.context() as patch:
                patch.setattr(console, "_aligned", lambda *_: None)
                print_table(columns, rows)
            assert plainly == capsys.readouterr().out

    def test_wider_than_the_terminal_it_becomes_records_if_it_may(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        rows = [["sales", 12, None], ["[ops]\x1b", 7, "2026-10"]]
        monkeypatch.setenv("COLUMNS", "27")
        print_table(["account", "calls", "period"], rows, may_be_records=True)
        assert capsys.readouterr().out.splitlines()[1:] == ["sales      12", "[ops]\\x1b  7      2026-10"]
        monkeypatch.setenv("COLUMNS", "20")
        print_table(["account", "calls", "period"], rows, title="all", may_be_records=True)
        assert capsys.readouterr().out.splitlines() == [
            "all",
            "-- 1 of 2",
            "account  sales",
            "calls    12",
            "period",
            "-- 2 of 2",
            "account  [ops]\\x1b",
            "calls    7",
            "period   2026-10",
        ]

    def test_in_a_pipe_it_stays_a_table_however_wide(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(["value", "other"], [["x" * 9000, "y"]], may_be_records=True)
        assert capsys.readouterr().out.splitlines()[1] == "x" * 9000 + "  y"

    def test_no_rows_are_a_header_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(["id", "reason"], [])
        assert capsys.readouterr().out.split() == ["id", "reason"]


@pytest.mark.usefixtures("store")
@nasty
class TestWithSuchATag:
    def test_the_history_shows_it(self, text: str) -> None:
        run("import", "-", stdin=line(signed(callstatus(tag=text))))
        said = run("history", "--tag", text, "--src", "18585550001")
        assert (said.code, is_tame(said.out)) == (0, True)
        assert f"tag={shown(text)} " in said.out
        assert repr(text) in said.out.splitlines()[0]

    def test_the_history_in_json_has_it_exactly(self, text: str) -> None:
        run("import", "-", stdin=line(signed(callstatus(tag=text))))
        said = run("history", "--tag", text, "--src", "18585550001", "--format", "json")
        assert said.json()["events"][0]["call"]["tag"] == text
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", said.out)

    def test_the_quarantine_shows_it(self, text: str) -> None:
        run("import", "-", stdin=line(signed(callstatus(tag=text, srcduration=text))))
        for words in (("list",), ("show", "1"), ("reprocess", "1")):
            said = run("quarantine", *words)
            assert (is_tame(said.out), is_tame(said.err)) == (True, True)
        assert re.search(rf"^tag +{re.escape(shown(text))}$", run("quarantine", "show", "1").out, re.MULTILINE)

    def test_a_name_is_as_harmless_as_a_value(self, text: str) -> None:
        pairs = [*callstatus(), (text, "1"), (text, "2")]
        run("import", "-", stdin=line(signed(pairs)) + line(signed(pairs, OTHER_KEY)))
        for words in (("list",), ("show", "1"), ("reprocess", "1"), ("show", "2")):
            said = run("quarantine", *words)
            assert (is_tame(said.out), is_tame(said.err)) == (True, True)

    def test_status_shows_it_where_it_points_a_tag_out(self, text: str) -> None:
        completed = (callstatus(r=r, tag=text, src=str(r), status="COMPLETED") for r in range(10))
        run("import", "-", stdin="".join(line(signed(pairs)) for pairs in completed))
        said = run("status")
        assert (is_tame(said.out), is_tame(said.err), "lack their opening" in said.err) == (True, True, True)

    def test_an_import_that_reports_it_as_unreadable_is_tame(self, text: str) -> None:
        lines = line(signed(callstatus(f=text))) + line(signed(callstatus()), text)
        said = run("import", "-", stdin=lines)
        assert (said.code, is_tame(said.err)) == (1, True)


@pytest.mark.usefixtures("store")
class TestRawBytes:
    def test_a_body_with_control_characters_unencoded_is_shown_without_obeying_them(self) -> None:
        pairs = callstatus(tag="\x1b[2J\a")
        raw = encoded([*pairs, ("sig", signature(pairs, OTHER_KEY))]).replace("%1B", "\x1b").replace("%07", "\a")
        run("import", "-", stdin=line(raw))
        assert is_tame(run("quarantine", "show", "1").out)

    def test_bytes_that_are_no_utf8_are_written_out(self) -> None:
        run("import", "-", stdin=line(signed(callstatus(tag="caf\udce9"))))
        assert re.search(r"^tag +caf\\xe9$", run("quarantine", "show", "1").out, re.MULTILINE)
