"""``tringledger statement``: the same numbers as HTML, PDF, JSON and CSV, a draft until the month is closed."""

import csv
import io
import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import pytest
from pypdf import PdfReader

from domain.events.streams import call_id
from projections.queries.statement import billed_calls
from projections.stores.generations import open_current
from tests.support.command import Said, run
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, START, TAG, cdr

DONE, FINDING, USAGE, UNAVAILABLE = range(4)
DAY = 86_400_000_000
TARIFF = """
[[rules]]
tag = "Zürich*"
markup_percent = 10
rounding = { mode = "half-up", places = 0, level = "statement" }
[[rules]]
tag = "*"
per_minute = 0.7
increment = "60/6"
rounding = { mode = "up", places = 1 }
"""
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


@pytest.fixture(autouse=True)
def lived(store: str) -> str:
    """Two days of calls of two accounts, and a credit."""
    with opened(store, clock=lambda: START + 3 * DAY) as ledger:
        with ledger.operator_session("kim", "first <prices>") as session:
            session.publish_tariff(TARIFF)
        record(
            ledger,
            cdr(0, "COMPLETED", srcduration="70", destduration="61", srccharge="1", destcharge="0.5"),
            cdr(1, "COMPLETED", srcduration="10", destduration="5", destsipcharge="2", src="2"),
            cdr(2, "DESTBUSY", srcduration="3", src="3"),
            cdr(DAY, "COMPLETED", destduration="600", srccharge="3", src="4"),
            cdr(3, "COMPLETED", destduration="60", destcharge="1.24", tag="Zürich Büro"),
        )
        with ledger.operator_session("kim", "goodwill; sorry") as session:
            session.adjust_account(TAG, -1_250_000)
    return store


def close(store: str) -> None:
    with opened(store, clock=lambda: START + 4 * DAY) as ledger, ledger.operator_session("kim", "all there") as session:
        session.close_month("2026-10")


def statement(*more: str, account: str = TAG, period: str = "2026-10") -> Said:
    return run("statement", account, period, *more)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.html", b"<!"), ("a.htm", b"<!"), ("a.pdf", b"%PDF"), ("a.json", b"{"), ("a.csv", b"account,")],
)
def test_the_files_suffix_says_the_format_and_may_not_contradict_it(name: str, begins: bytes, tmp_path: Path) -> None:
    assert statement("-o", str(tmp_path / name)).code == DONE
    assert (tmp_path / name).read_bytes().startswith(begins)
    other = "json" if name == "a.csv" else "csv"
    said = statement("-o", str(tmp_path / name), "--format", other)
    assert (said.code, f"got {other} for the file" in said.err) == (USAGE, True)


class Cells(HTMLParser):
    """The rows of a page's table, and the rest of its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_cell = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        if self._in_cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data
        else:
            self.words += data


def test_a_call_that_was_rounded_and_then_voided_has_no_rounding_in_cdr_billing_and_statement(store: str) -> None:
    call = str(call_id((TAG, SRC), 1))

    def roundings() -> tuple[list[str], str, list[str]]:
        entries = run("export", "entries", "--account", TAG, "--format", "json").json()
        bill = run("explain", "--account", TAG, "--period", "2026-10", "--format", "json").json()["total"]
        lines = statement("--format", "csv").out.splitlines()
        return (
            [row["rounding"] for row in entries if row["call_id"] == call],
            bill["rounding"],
            [line.rpartition(",")[2] for line in lines if ",rounding," in line],
        )

    assert roundings() == (["0.03"], "0.03", ["0.03"])
    with opened(store, clock=lambda: START + 3 * DAY) as ledger, ledger.operator_session("kim", "our test") as session:
        session.void_call(UUID(call))
    assert roundings() == (["0"], "0", [])
    assert statement("--format", "csv").out.splitlines()[-1].endswith(",6.45")
    assert run("explain", call, "--format", "json").json()["prices"][-1]["rounding"] == "0"


def test_csv_has_a_row_for_each_day_and_disposition_the_rounding_and_the_total() -> None:
    said = statement("--format", "csv")
    assert (said.code, said.err) == (DONE, "")
    assert said.out.splitlines() == [
        "account,period,state,kind,day,original_period,text,calls,answered,src_seconds,dest_seconds,billed_seconds,cost,sip_credits,price",
        "sales,2026-10,draft,calls,2026-10-01,,ANSWERED,2,2,80,66,126,1.5,2,1.47",
        "sales,2026-10,draft,calls,2026-10-01,,BUSY,1,0,3,0,0,0,0,0",
        "sales,2026-10,draft,calls,2026-10-02,,ANSWERED,1,1,0,600,600,3,0,7",
        "sales,2026-10,draft,adjustment,2026-10-04,,goodwill; sorry,0,0,0,0,0,0,0,-1.25",
        "sales,2026-10,draft,rounding,,,rounding of each call,0,0,0,0,0,0,0,0.03",
        "sales,2026-10,draft,total,,,,4,3,83,666,726,4.5,2,7.25",
        "sales,2026-10,draft,due,,,,,,,,,,,7.25",
    ]


def test_the_calls_of_a_bill_are_those_with_an_entry_in_its_month(store: str) -> None:
    assert run("export", "billing").code == DONE
    with opened(store) as ledger, closing(open_current(ledger)) as read_store, read_store.snapshot() as connection:
        calls = {str(call_id((TAG, src), 1)) for src in (SRC, "2", "3", "4")}
        assert billed_calls(connection, TAG, "2026-10") == calls
        assert billed_calls(connection, TAG, "2026-11") == set()
        assert billed_calls(connection, "Zürich Büro", "2026-10") == {str(call_id(("Zürich Büro", SRC), 1))}


def test_the_total_is_that_of_the_billing_table() -> None:
    [bill] = list(csv.DictReader(io.StringIO(run("export", "billing", "--account", TAG).out)))
    [total] = [row for row in csv.DictReader(io.StringIO(statement("--format", "csv").out)) if row["kind"] == "total"]
    assert {name: bill[name] for name in bill if name != "margin"} == {
        name: total[name] for name in bill if name != "margin"
    }


def test_json_has_the_same_with_amounts_as_texts() -> None:
    told = statement("--format", "json", account="Zürich Büro").json()
    assert (told["state"], told["closed_at"], told["position"]) == ("draft", None, 7)
    assert told["total"]["price"] == "1.364"
    assert told["roundings"] == [{"rounding": "half-up:0", "price": "-0.364"}]
    assert told["due"] == "1"
    assert [(used["version"], used["reason"]) for used in told["tariffs"]] == [("1", "first <prices>")]
    assert [line["kind"] for line in told["lines"]] == ["calls"]


def test_html_is_one_file_that_can_be_printed_and_shows_the_same_numbers() -> None:
    page = statement().out
    shown = Cells(page)
    rows = [row[:2] + [cell for cell in row[2:] if cell] for row in shown.rows]
    assert rows[1] == ["2026-10-01", "ANSWERED", "2", "80", "66", "126", "1.5", "2", "1.47"]
    assert rows[-3] == ["", "Rounding of each call", "0.03"]
    assert rows[-2] == ["", "Total", "4", "83", "666", "726", "4.5", "2", "7.25"]
    assert rows[-1] == ["", "Amount due, in US cents", "7.25"]
    assert "Draft, not closed: as of position 7" in shown.words
    assert "Tariff version 1, published on 2026-10-04T12:00:00.000000Z: first <prices>" in shown.words
    assert "@media print" in page
    assert not {"script", "link", "img"} & {tag for tag, _ in shown.tags}
    assert not [given for _, given in shown.tags if {"src", "href"} & given.keys()]
    assert {len(row) for row in shown.rows[:-1]} == {9}


def test_texts_that_are_markup_or_formulas_do_no_harm(lived: str) -> None:
    evil = '=1+1<script>alert("x")</script>'
    with opened(lived, clock=lambda: START) as ledger, ledger.operator_session("kim", evil) as session:
        session.adjust_account(evil, 5)
    assert "<script>" not in statement(account=evil).out
    quoted = evil.replace('"', '""')
    assert f'"\'{quoted}"' in statement("--format", "csv", "--excel-safe", account=evil).out
    assert f'"{quoted}"' in statement("--format", "csv", account=evil).out


def test_a_closed_month_says_so_and_is_the_same_for_ever(lived: str, tmp_path: Path) -> None:
    close(lived)
    before = {form: written(tmp_path, form) for form in ("html", "pdf", "json", "csv")}
    assert b"not closed" not in before["html"]
    assert b"Closed on 2026-10-05T12:00:00.000000Z by kim." in before["html"]
    with opened(lived, clock=lambda: START + 40 * DAY) as ledger:
        record(ledger, cdr(4, "COMPLETED", destduration="90", src="9"))
        with ledger.operator_session("kim", "more") as session:
            session.adjust_account(TAG, 1, "2026-10")
    assert {form: written(tmp_path, form) for form in before} == before
    later = statement("--format", "csv", period="2026-11").out.splitlines()[1:]
    assert [line.split(",")[3:7] + line.split(",")[-1:] for line in later] == [
        ["calls", "2026-11-01", "2026-10", "ANSWERED", "1.05"],
        ["adjustment", "2026-11-10", "2026-10", "more", "0.000001"],
        ["rounding", "", "", "rounding of each call", "0.05"],
        ["total", "", "", "", "1.100001"],
        ["due", "", "", "", "1.100001"],
    ]
    assert "ANSWERED, for 2026-10, received late" in statement(period="2026-11").out
    assert "Adjustment, for 2026-10: more" in statement(period="2026-11").out


def written(folder: Path, form: str) -> bytes:
    file = folder / f"statement.{form}"
    said = statement("--format", form, "-o", str(file))
    assert (said.code, said.out) == (DONE, "")
    return file.read_bytes()


class TestPdf:
    def text(self, folder: Path, *more: str, account: str = TAG) -> str:
        file = folder / "statement.pdf"
        said = statement("--format", "pdf", "-o", str(file), *more, account=account)
        assert said.code == DONE, said.err
        return " ".join(page.extract_text() for page in PdfReader(file).pages)

    def test_it_shows_the_same_numbers(self, tmp_path: Path) -> None:
        text = " ".join(self.text(tmp_path).split())
        assert "2026-10-01 ANSWERED 2 80 66 126 1.5 2 1.47" in text
        assert "Total 4 83 666 726 4.5 2 7.25" in text
        assert "Amount due, in US cents 7.25" in text
        assert "Draft, not closed" in text

    def test_the_letters_of_western_europe_need_no_font(self, tmp_path: Path) -> None:
        assert "Zürich Büro" in self.text(tmp_path, account="Zürich Büro")

    def test_other_letters_need_one_and_the_refusal_says_so(self, lived: str, tmp_path: Path) -> None:
        with opened(lived, clock=lambda: START) as ledger, ledger.operator_session("kim", "добро") as session:
            session.adjust_account("Москва", 5)
        said = statement("--format", "pdf", "-o", str(tmp_path / "x.pdf"), account="Москва")
        assert (said.code, "expected --font FILE.ttf" in said.err) == (FINDING, True)
        assert list(tmp_path.glob("x.pdf")) == []
        if FONT.exists():
            assert "Москва" in self.text(tmp_path, "--font", str(FONT), account="Москва")

    def test_a_file_that_is_no_font_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "no.ttf").write_text("no font")
        said = statement("--format", "pdf", "--font", str(tmp_path / "no.ttf"))
        assert (said.code, "no.ttf cannot be used as a font" in said.err) == (FINDING, True)


def test_a_month_without_anything_is_a_statement_over_nothing() -> None:
    said = statement(period="2025-01")
    assert (said.code, "Nothing was billed." in said.out) == (DONE, True)


def test_an_account_that_is_not_in_the_books_is_a_finding() -> None:
    said = statement(account="nobody")
    assert (said.code, said.out) == (FINDING, "")
    assert re.search("there is no account 'nobody' in the books", said.err)


def test_a_month_that_is_none_is_wrong_usage() -> None:
    assert statement(period="2026-13").code == USAGE


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    said = statement("-o", str(tmp_path / "no" / "such.html"))
    assert (said.code, said.out) == (UNAVAILABLE, "")
    assert "the statement cannot be written to" in said.err
    said = run("export", "journal", "--format", "hledger", "-o", str(tmp_path / "no" / "such.journal"))
    assert (said.code, "the journal cannot be written to" in said.err) == (UNAVAILABLE, True)


def test_a_month_was_closed_by_the_first_closing_that_covers_it(store: str) -> None:
    close(store)
    before = statement("--format", "json").json()
    with (
        opened(store, clock=lambda: START + 70 * DAY) as ledger,
        ledger.operator_session("bob", "all there, too") as session,
    ):
        session.close_month("2026-11")
    after = statement("--format", "json").json()
    assert (after["state"], after["closed_at"], after["position"]) == (
        "closed",
        before["closed_at"],
        before["position"],
    )
    assert statement("--format", "json", period="2026-09").json()["closed_at"] == before["closed_at"]
