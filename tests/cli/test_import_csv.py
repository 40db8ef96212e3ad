"""``tringledger import --format csv``: an old handler's table, with signatures or with somebody who vouches for its rows."""

import csv
import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import times
from domain.events.notice_events import Voucher
from domain.ledger import Ledger
from tests.support.command import Said, run
from tests.support.effort import examples
from tests.support.ledger_inspection import exported, head
from tests.support.ledgers import tables
from tests.support.model.ledger import Model
from tests.support.model.wire import Pairs
from tests.support.notices import START, callstatus, line, priced_cdr, signature, signed
from tests.support.samples import rows_of_csv, sample

DONE, FINDING, USAGE = 0, 1, 2
AT = "2026-10-15 12:00:00"
VOUCHED = ("--unsigned", "--by", "Ada", "--reason", "the table of 2025")
COLUMNS = ("id", "received_at", "type", "status", "tag", "src", "srcduration", "srccharge")


def table(*rows: Sequence[str], header: Sequence[str] = COLUMNS, delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    return text.getvalue()


def imported(text: str | bytes, *arguments: str) -> Said:
    return run("import", "--format", "csv", "--source", "old", *arguments, "-", stdin=text)


def vouched(text: str | bytes, *arguments: str) -> Said:
    return imported(text, *VOUCHED, *arguments)


def parameters(store: str, position: int = 1) -> dict[str, str]:
    with Ledger(store) as ledger:
        return dict(ledger.notice_at(position).params)


ROW = ("7", AT, "cdr", "COMPLETED", "sales", "18585550001", "60", "1.5")


class TestImportOfATable:
    def test_columns_named_like_parameters_are_taken_and_empty_cells_were_not_there(self, store: str) -> None:
        said = vouched(table(ROW, ("8", AT, "cdr", "", "sales", "", "", "")))
        assert (said.code, said.err) == (DONE, "2 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable\n")
        given_ = dict(zip(COLUMNS[2:], ROW[2:], strict=True))
        assert parameters(store) == {"f": "tm", **given_}
        assert parameters(store, 2) == {"f": "tm", "type": "cdr", "tag": "sales"}

    def test_other_columns_are_mapped_or_left(self, store: str) -> None:
        said = vouched(
            table((AT, "sales", "2.25", "x", "no"), header=("created", "tag", "cost", "type", "remark")),
            *("--column", "received_at=created", "--column", "destcharge=cost", "--set", "type=cdr"),
        )
        assert (said.code, parameters(store)) == (
            DONE,
            {"f": "tm", "type": "cdr", "tag": "sales", "destcharge": "2.25"},
        )

    def test_an_empty_mapping_leaves_a_column_out(self, store: str) -> None:
        vouched(table(ROW), "--column", "status=")
        assert "status" not in parameters(store)

    def test_who_vouches_why_and_for_which_row_are_shown_in_the_calls_history(self, store: str) -> None:
        vouched(table(ROW))
        with Ledger(store) as ledger:
            kept = ledger.notice_at(1)
        assert (kept.source, kept.formula, kept.key) == ("import:old", "unsigned", "")
        assert kept.voucher == Voucher("Ada", "the table of 2025", "id=7")
        shown = run("history", "--tag", "sales", "--src", "18585550001")
        assert (
            "\nunsigned  vouched for by  reason             row\n1         Ada             the table of 2025  id=7\n"
            in shown.out
        )
        events = run("history", "--tag", "sales", "--src", "18585550001", "--format", "json").json()["events"]
        assert events[0]["voucher"] == {"by": "Ada", "reason": "the table of 2025", "row": "id=7"}

    def test_it_needs_no_private_key(self, store: str) -> None:
        said = run(
            "import", "--format", "csv", "--source", "x", *VOUCHED, "-", stdin=table(ROW), TRINGME_PRIVATE_KEY=""
        )
        assert (said.code, head(store)) == (DONE, 1)

    def test_an_unsigned_row_shows_nothing_about_signatures(self, store: str) -> None:
        vouched(table(ROW))
        with Ledger(store) as ledger:
            assert "signature_fitted" not in ledger.store.facts()

    def test_a_row_that_cannot_be_is_reported_with_its_value_and_recorded_once_it_is_mended(self, store: str) -> None:
        broken = ("8", AT, "cdr", "", "sales\nGmbH", "", "", "1,5")
        said = vouched(table(ROW, broken))
        assert said.code == FINDING
        assert said.err == (
            "stdin, line 3 is unreadable: srccharge='1,5': expected a decimal below 1000000000, with at most 9 digits before and 30 after the point\n"
            "1 recorded, 0 duplicate, 0 quarantined (0 new), 1 unreadable\n"
        )
        said = vouched(table(ROW, (*broken[:-1], "1.5")))
        assert (said.code, said.err.split(",")[:2]) == (DONE, ["1 recorded", " 1 duplicate"])
        assert head(store) == 2

    def test_an_id_that_two_rows_have_is_no_id(self, store: str) -> None:
        said = vouched(table(ROW, ("7", "2026-10-15 12:00:09", *ROW[2:])))
        assert (said.code, head(store)) == (FINDING, 1)
        assert said.err.startswith(
            "stdin, line 3 is unreadable: id='7': expected an id that no other row of the file has"
        )

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("9,2026-10-15 12:00:00,cdr,,sales,,", "it has 7 values: expected 8, one for each column"),
            ("9,2026-10-15 12:00:00,cdr,,sales,,,,", "it has 9 values: expected 8, one for each column"),
            (
                "9,yesterday,cdr,,sales,,,",
                "received_at='yesterday': expected ISO 8601, YYYY-MM-DD HH:MM:SS, or Unix seconds",
            ),
            (",2026-10-15 12:00:00,cdr,,sales,,,", "id='': expected 1 to 256 printable characters"),
            ('9,2026-10-15 12:00:00,cdr,,"ac"me,,,', "',' expected after '\"'"),
            (
                "9,2026-10-15 12:00:00,cdr,,ac\rme,,,",
                "a carriage return is in it, outside of quotation marks: expected lines that end in LF or CRLF",
            ),
            (
                f"9,2026-10-15 12:00:00,cdr,,{'x' * 131_073},,,",
                "it has a value of more than 131072 characters, or a quotation mark that is not closed",
            ),
            ("9,2026-10-15 12:00:00,cdr,,ac\udce9me,,,", "tag='ac\\\\xe9me': expected valid UTF-8"),
            (
                "\udce9,2026-10-15 12:00:00,cdr,,sales,,,",
                "id='\\\\xe9': expected 1 to 256 printable characters",
            ),
        ],
    )
    def test_a_line_that_cannot_be_read_is_reported_with_its_number_and_why(self, line: str, reason: str) -> None:
        text = table(ROW) + line + "\r\n"
        said = vouched(text.encode(errors="surrogateescape"))
        assert said.code == FINDING
        assert (
            said.err
            == f"stdin, line 3 is unreadable: {reason}\n1 recorded, 0 duplicate, 0 quarantined (0 new), 1 unreadable\n"
        )

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize(("rows_behind", "span"), [(0, ""), (150, " (lines 3 to 153 are this one row)")])
    def test_a_quotation_mark_that_is_never_closed_is_said_to_have_all_that_is_behind_it(
        self, rows_behind: int, span: str
    ) -> None:
        behind = table(*[(str(number), *ROW[1:]) for number in range(10, 10 + rows_behind)], header=())
        said = vouched(table(ROW) + f'9,{AT},cdr,,"sales,,,' + (behind if rows_behind else "\n"))
        assert said.code == FINDING
        assert said.err == (
            "stdin, line 3 is unreadable: a quotation mark in the row that begins here is never closed, so nothing behind it"
            f" was read{span}\n1 recorded, 0 duplicate, 0 quarantined (0 new), 1 unreadable\n"
        )

    def test_a_quotation_mark_that_is_closed_too_late_is_said_to_have_the_lines_between(self, store: str) -> None:
        closed = f'9,{AT},cdr,,"sales,,,\n10,{AT},cdr,,sales,,,\n11,{AT},cdr,,"sales",,,\n12,{AT},cdr,,sales,,,\n'
        said = vouched(table(ROW) + closed)
        assert (said.code, head(store)) == (FINDING, 2)
        assert said.err.startswith(
            "stdin, line 3 is unreadable: ',' expected after '\"' (lines 3 to 5 are this one row)\n2 recorded"
        )

    @pytest.mark.parametrize(
        ("text", "arguments"),
        [
            (b"\xef\xbb\xbf" + table(ROW).encode(), ()),
            (table(ROW).replace("\r\n", "\n"), ()),
            (table(ROW) + "\r\n", ()),
            (table(ROW, delimiter=";"), ("--delimiter", ";")),
            (table(ROW, delimiter="\t"), ("--delimiter", "tab")),
        ],
        ids=["a mark", "Unix lines", "an empty line", "semicolons", "tabs"],
    )
    def test_tables_come_in_several_dresses(self, text: str | bytes, arguments: tuple[str, ...], store: str) -> None:
        assert (vouched(text, *arguments).code, head(store)) == (DONE, 1)

    @pytest.mark.parametrize(
        ("time", "wanted"),
        [
            ("2026-10-15 12:00:00", "2026-10-15T10:00:00Z"),
            ("2026-10-15 12:00:00.5", "2026-10-15T10:00:00.500000Z"),
            ("2026-12-15T12:00:00.123456", "2026-12-15T11:00:00.123456Z"),
            ("2026-10-15T12:00:00Z", "2026-10-15T12:00:00Z"),
            ("2026-10-15 12:00:00-03:30", "2026-10-15T15:30:00Z"),
            ("1792065600", "2026-10-15T12:00:00Z"),
            ("1792065600.25", "2026-10-15T12:00:00.250000Z"),
        ],
    )
    def test_times_are_read_in_the_zone_given_unless_they_say_otherwise(
        self, time: str, wanted: str, store: str
    ) -> None:
        assert vouched(table((*ROW[:1], time, *ROW[2:])), "--timezone", "Europe/Berlin").code == DONE
        with Ledger(store) as ledger:
            assert ledger.notice_at(1).received_at == times.parse(wanted)

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize(
        "time",
        [
            "2026-03-29 02:30:00",
            "2026-10-25 02:30:00",
            "1792065600000",
            "0001-01-01",
            "9999-12-31 23:59:59",
            "12:00:00",
            "",
            "Oct 15 2026",
        ],
    )
    def test_a_time_that_there_is_not_is_unreadable(self, time: str) -> None:
        said = vouched(table((*ROW[:1], time, *ROW[2:])), "--timezone", "Europe/Berlin")
        assert said.code == FINDING
        assert said.err.startswith("stdin, line 2 is unreadable: received_at=")


class TestATableWithSignatures:
    def test_a_column_of_query_strings_is_verified_as_ever(self, store: str) -> None:
        name = "adverse"
        rows = [(at, query, "x") for at, query in sample(name).lines]
        said = imported(table(*rows, header=("received_at", "raw", "tag")), "--column", "query=raw")
        wanted = sample(name).counts
        assert said.err.startswith(
            f"{wanted['recorded']} recorded, {wanted['duplicate']} duplicate, {wanted['quarantined']} quarantined"
        )
        assert head(store) == wanted["recorded"]

    def test_a_column_sig_is_verified_with_the_others(self, store: str) -> None:
        header = ("received_at", *dict(callstatus()), "sig")
        rows = [(AT, *dict(pairs).values(), signature(pairs)) for pairs in (callstatus(r=1), callstatus(r=2))]
        said = imported(table(rows[0], (*rows[1][:-1], "0" * 32), header=header))
        assert said.err.startswith("1 recorded, 0 duplicate, 1 quarantined (1 new)")
        with Ledger(store) as ledger:
            (entry,) = ledger.store.quarantined(settled=False)
        assert entry.raw.startswith(b"f=tm&type=callstatus&")

    def test_the_same_as_a_callback_it_is_a_duplicate(self, store: str) -> None:
        run("import", "-", stdin=line(signed(priced_cdr())))
        imported(table((AT, signed(priced_cdr())), header=("received_at", "query")))
        assert head(store) == 1


@pytest.mark.usefixtures("store")
class TestWrongUsage:
    @pytest.mark.parametrize(
        ("header", "arguments", "said"),
        [
            (("id", "type", "created"), VOUCHED, "there is no time: expected a column received_at"),
            (("received_at", "tag"), VOUCHED, "there is no type: expected a column type"),
            (("received_at", "type"), (), "there is no signature: expected a column sig or query, or --unsigned"),
            (("received_at", "type", "sig"), VOUCHED, "there are signatures, in sig: expected none with --unsigned"),
            (("received_at", "query"), VOUCHED, "there are signatures, in query: expected none with --unsigned"),
            (
                ("received_at", "query"),
                ("--set", "type=cdr"),
                "the parameters are in query: expected neither --set nor",
            ),
            (COLUMNS, (*VOUCHED, "--column", "tag=account"), "tag=account: expected one column of that name"),
            (("received_at", "type", "type"), VOUCHED, "type=type: expected one column of that name"),
            ((), VOUCHED, "there is no time"),
        ],
    )
    def test_a_header_that_does_not_fit_is_refused_with_what_it_has(
        self, header: tuple[str, ...], arguments: tuple[str, ...], said: str, tmp_path: Path
    ) -> None:
        (tmp_path / "old.csv").write_text(table(header=header))
        found = run("import", "--format", "csv", *arguments, str(tmp_path / "old.csv"))
        assert found.code == USAGE
        assert found.err.startswith(f"tringledger: old.csv: {said}")
        assert found.err.endswith(f"the header has {', '.join(header) or 'no columns'}\n")

    @pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    @pytest.mark.parametrize(
        ("delimiter", "arguments", "shown"),
        [(";", (), "';'"), ("\t", (), "tab"), ("|", (), "'|'"), (",", ("--delimiter", "tab"), "','")],
    )
    def test_a_header_that_another_character_would_divide_is_refused_with_a_hint_at_it(
        self, delimiter: str, arguments: tuple[str, ...], shown: str, quoting: Literal[0, 1]
    ) -> None:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([COLUMNS, ROW])
        said = vouched(text.getvalue(), *arguments)
        assert said.code == USAGE
        assert said.err.startswith("tringledger: stdin: the")
        assert said.err.endswith(f"; if {shown} separates its columns, add --delimiter {shown}\n")

    def test_of_several_tables_the_wrong_one_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text(table(ROW))
        (tmp_path / "b.csv").write_text(table(ROW[1:], header=("created", *COLUMNS[2:])))
        said = run("import", "--format", "csv", *VOUCHED, f"{tmp_path}/*.csv")
        assert (said.code, said.err[:39]) == (USAGE, "tringledger: b.csv: there is no time: e")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (table(ROW).encode("utf-16"), 'the file is UTF-16, as "Unicode text" from Excel is: expected UTF-8'),
            (table(ROW).encode("utf-16-le"), "the file is not text in UTF-8: its header has the byte 0x00"),
            (
                table(ROW, header=(*COLUMNS[:-1], "Gebühr")).encode("latin-1"),
                "the file is not UTF-8: its header has the byte 0xfc",
            ),
            (b"\xef\xbb\xbfid,\xe9", "the file is not UTF-8: its header has the byte 0xe9"),
            (
                table(ROW).replace("\r\n", "\r"),
                "the header cannot be read: a carriage return is in it, outside of quotation marks: expected lines that",
            ),
            (
                '"' + table(ROW),
                "the header cannot be read: a quotation mark in the row that begins here is never closed",
            ),
        ],
        ids=[
            "UTF-16",
            "UTF-16 without a mark",
            "Latin-1",
            "a mark that is wrong",
            "lines of an old Mac",
            "an open quotation mark",
        ],
    )
    def test_a_file_whose_header_cannot_be_read_is_refused_and_said_to_be_what_it_is(
        self, text: str | bytes, why: str
    ) -> None:
        said = vouched(text)
        assert said.code == USAGE
        assert said.err.startswith(f"tringledger: stdin: {why}")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--unsigned",),
            ("--unsigned", "--by", "Ada"),
            ("--unsigned", "--by", "Ada", "--reason", " "),
            ("--unsigned", "--by", "A\nda", "--reason", "x"),
            ("--by", "Ada", "--reason", "x"),
            (*VOUCHED, "--source", " "),
            (*VOUCHED, "--source", "a\udce9"),
            ("--column", "colour=x"),
            ("--column", "tag"),
            ("--set", "sig=x"),
            ("--set", "received_at=x"),
            ("--delimiter", "::"),
            ("--delimiter", '"'),
            ("--timezone", "Mars/Olympus"),
        ],
    )
    def test_options_that_say_too_little_or_what_cannot_be_are_refused(self, arguments: tuple[str, ...]) -> None:
        assert imported(table(ROW), *arguments).code == USAGE

    @pytest.mark.parametrize("kind", ["ndjson", "access-log"])
    @pytest.mark.parametrize(
        "arguments", [VOUCHED, ("--column", "tag=x"), ("--set", "type=cdr"), ("--timezone", "UTC")]
    )
    def test_what_is_for_tables_is_refused_with_another_format(self, kind: str, arguments: tuple[str, ...]) -> None:
        assert run("import", "--format", kind, *arguments, "-").code == USAGE

    def test_stdin_has_no_name_by_which_its_rows_could_be_known_again(self) -> None:
        said = run("import", "--format", "csv", *VOUCHED, "-", stdin=table(ROW))
        assert said.code == USAGE
        assert "expected --source NAME for unsigned rows from stdin" in said.err


# Two equal calls stay two, and twice imported changes nothing: against the model

OLD_ROWS = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 60, 400)),
        st.sampled_from(("cdr", "callstatus")),
        st.sampled_from(("COMPLETED", "SRCANSWERED")),
        st.sampled_from(("sales", "Zürich Büro")),
        st.sampled_from(("18585550001", "+1 858 555-0001")),
        st.sampled_from(("1.5", "2", "1,5")),
    ),
    max_size=8,
)
MODEL_COLUMNS = ("type", "status", "tag", "src", "srccharge")


def as_pairs(row: tuple[int, str, str, str, str, str]) -> Pairs:
    return [("f", "tm"), *zip(MODEL_COLUMNS, row[1:], strict=True)]


def models(rows: Sequence[tuple[int, str, str, str, str, str]], *, with_ids: bool) -> Model:
    """Return the model after it took the rows of a table."""
    model = Model()
    for number, row in enumerate(rows):
        at = START + row[0] * 1_000_000
        equal = 1 + list(rows[:number]).count(row)
        which = f"id={number}" if with_ids else f"at={times.iso(at)} n={equal}"
        model.take_unsigned(at, as_pairs(row), "import:old", which)
    return model


@examples(25)
@given(OLD_ROWS, st.sampled_from(("id", "remark")), st.integers(0, 8))
def test_two_equal_calls_stay_two_and_twice_imported_changes_nothing(
    rows: list[tuple[int, str, str, str, str, str]], first_column: str, interrupted: int
) -> None:
    header = (first_column, "received_at", *MODEL_COLUMNS)
    whole = [(str(n), times.iso(START + row[0] * 1_000_000), *row[1:]) for n, row in enumerate(rows)]
    model = models(rows, with_ids=first_column == "id")
    with TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/ledger.db"
        vouched(table(*whole[:interrupted], header=header), "--store", store)
        foretold = vouched(table(*whole, header=header), "--store", store, "--dry-run")
        done = vouched(table(*whole, header=header), "--store", store)
        assert foretold.err.replace("dry run, nothing written: ", "") == done.err
        first = _everything(store)
        again = vouched(table(*whole, header=header), "--store", store)
        assert again.err.splitlines()[-1].startswith(f"0 recorded, {len(model.log)} duplicate")
        assert _everything(store) == first
        assert rows_of_csv(exported("--store", store)[1].encode()) == model.cdrs()
        assert head(store) == len(model.log)


def _everything(store: str) -> object:
    with closing(Ledger(store)) as ledger:
        return ledger.store.page(0, 1000, 1000), tables(ledger)


@pytest.mark.parametrize("kept", ["cdrs.csv", "cdrs.csv.gz"])
def test_the_same_table_under_another_name_is_another_unless_its_source_is_named(
    kept: str, store: str, tmp_path: Path
) -> None:
    text = table(ROW).encode()
    (tmp_path / "cdrs.csv").write_bytes(text)
    (tmp_path / "copy.csv").write_bytes(text)
    for names in (("cdrs.csv",), ("copy.csv",), ("cdrs.csv", "copy.csv")):
        run("import", "--format", "csv", *VOUCHED, *[str(tmp_path / name) for name in names])
    assert head(store) == 2
    for name in ("cdrs.csv", "copy.csv"):
        run("import", "--format", "csv", "--source", kept.removesuffix(".gz"), *VOUCHED, str(tmp_path / name))
    assert head(store) == 2
