"""Read models as files: every format reads back exactly, whole or not at all, in constant memory."""

import csv
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from openpyxl.cell.cell import TYPE_NUMERIC, TYPE_STRING
from pyarrow import parquet
from sqlalchemy import delete

from domain.amounts import plain
from domain.errors import LedgerError
from projections import frames
from projections.atomic_file import NotWritten
from projections.export import excel
from projections.export.excel import SheetTooSmall
from projections.export.text_formats import excel_safe_text
from projections.export.writer import PARQUET_ROWS_AT_ONCE, Format, write_export
from projections.queries.conditions import build_selection
from projections.queries.row_stream import ROWS_AT_ONCE
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.schema.column_kinds import ColumnKind, column_kind, exported_columns
from projections.schema.read_models import STORED_TABLES
from tests.conftest import SQLITE_FIRST
from tests.support.effort import examples
from tests.support.export_ledgers import SAMPLES, Case, a_ledger, a_row, fill_channels, operate, put, record_sample
from tests.support.postgres_server import Postgres

ALL = Selection()
NAMES = ("traffic", "adverse", "edges", "busy-lines")
ROOT = Path(__file__).parents[3]

INT64 = st.integers(-(2**63), 2**63 - 1)
AMOUNTS = st.none() | st.integers(-(10**18) + 1, 10**18 - 1)
# What XML and the log can hold: control characters yes, U+0000 and lone surrogates no.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
FORMULAS = ["=SUM(A1)", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1+1", "=cmd|' /C calc'!A0"]  # noqa: RUF001
NUMBERS = [
    *("18585550001", "007", "1e10", "1E-5", "1.50", "1,5", "12:30", "1-2", "2026-10-01", "1/2", "50%", "$5", "(5)"),
    *(" 12", "12 ", "٣٤", "3 pm", "1 Oct", "SEP1", "march 1"),
]
AWKWARD = [
    "<r>&</r>",
    "<r><t>x</t></r>",
    "_x0041_",
    "\x01\x1f",
    "a\r\nb",
    " x ",
    "\ufffe\uffff",
    "https://example.com/a",
]
HARMLESS = [
    "dept-0",
    "sales",
    "Zürich Büro",
    'a,b"c',
    "ANSWERED",
    "order 66",
    "3f2e-x",
    "",
    "'",
    "a=b",
    "march",
    "marc1",
]


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with a_ledger(f"sqlite:///{tmp_path}/t.db") as made:
        yield made


def export(case: Case, model: str, file_format: str, selection: Selection = ALL, **options: Any) -> bytes:
    """Export to a stream, as to standard output."""
    out = io.BytesIO()
    write_export(case.ledger, case.store, model, selection, file_format, out, **options)
    return out.getvalue()


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def sheet_cells(content: bytes) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(min_row=2))


def unescaped(text: str | None) -> str:
    """Undo what ECMA-376 (ST_Xstring) does to characters that XML cannot hold; openpyxl leaves it to us."""
    return re.sub("_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text or "")


def in_process(code: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with warnings as errors, and with what every such test needs."""
    setup = """
import os, resource, signal, sys
from pathlib import Path
from domain.ledger import Ledger
from projections.export.writer import NotWritten, write_export
from projections.queries.selection import Selection
from projections.stores.generations import open_current
url, file_format, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
ledger = Ledger(url)
store = open_current(ledger)
"""
    command = [sys.executable, "-W", "error", "-c", setup + code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, **options)


class TestSamples:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("model", ["cdrs", "billing"])
    def test_are_exported_value_for_value(self, case: Case, model: str, name: str) -> None:
        record_sample(case, name)
        expected = csv_rows((SAMPLES / f"{name}-{model}.csv").read_bytes())
        found = csv_rows(export(case, model, "csv"))
        assert [{column: row[column] for column in expected[0]} for row in found] == expected

    @pytest.mark.parametrize("model", STORED_TABLES)
    def test_say_the_same_in_every_format(self, case: Case, model: str) -> None:
        record_sample(case, "adverse")
        operate(case)
        expected = json.loads(export(case, model, "json"))
        assert expected
        as_csv = [
            {
                name: "" if value is None else str(value).replace("True", "true").replace("False", "false")
                for name, value in row.items()
            }
            for row in expected
        ]
        assert csv_rows(export(case, model, "csv")) == as_csv
        assert [json.loads(line) for line in export(case, model, "ndjson").splitlines()] == expected
        frame = getattr(frames, model.replace("-", "_"))(case.url)
        as_parquet = pd.read_parquet(io.BytesIO(export(case, model, "parquet")), dtype_backend="pyarrow")
        pd.testing.assert_frame_equal(as_parquet, frame)
        assert [[_as_json(value) for value in row] for row in frame.itertuples(index=False)] == [
            [
                _as_json(value, column)
                for column, value in zip(exported_columns(STORED_TABLES[model]), row.values(), strict=True)
            ]
            for row in expected
        ]
        cells = [[cell.value for cell in row] for row in sheet_cells(export(case, model, "xlsx"))]
        texts = [["" if value is None else unescaped(str(value)) for value in row] for row in cells]
        assert [[_number(value) for value in row] for row in texts] == [
            [_number("" if value is None else str(value)) for value in row.values()] for row in expected
        ]


def _as_json(value: Any, column: Any = None) -> object:
    """Bring a value of a frame, or of JSON, to a form in which the two can be compared."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if column is None:
        return value
    if column_kind(column) in (ColumnKind.AMOUNT, ColumnKind.TOTAL):
        return Decimal(value)
    return pd.Timestamp(value) if column_kind(column) is ColumnKind.TIME else value


def _number(text: str) -> object:
    return Decimal(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else text


class TestCsv:
    def test_follows_rfc_4180(self, case: Case) -> None:
        put(case, "channels", [a_row("channels", 1, src='a,b"c', tag="x\ny"), a_row("channels", 2, src="", tag=" é;'")])
        assert export(case, "channels", "csv").decode() == (
            "position,received_at,src,tag\r\n"
            '1,2026-10-01T00:00:00.000001Z,"a,b""c","x\ny"\r\n'
            "2,2026-10-01T00:00:00.000002Z,, é;'\r\n"
        )

    def test_has_its_columns_even_without_rows(self, case: Case) -> None:
        columns = (
            "call_id,tag,src,ordinal,disposition,status,opened_at,answered_at,cdr_at,src_duration,dest_duration,"
            "src_charge,dest_charge,src_sip_charge,dest_sip_charge,cost,sip_credits,account,tariff,billed_seconds,price,"
            "margin,period,position,flags\r\n"
        )
        assert export(case, "cdrs", "csv").decode() == columns

    def test_leaves_text_as_it_is(self, case: Case) -> None:
        texts = [*FORMULAS, *NUMBERS, *AWKWARD]
        put(case, "channels", [a_row("channels", n, tag=text) for n, text in enumerate(texts)])
        assert [row["tag"] for row in csv_rows(export(case, "channels", "csv"))] == texts

    def test_writes_absent_values_empty_and_truth_in_lower_case(self, case: Case) -> None:
        put(case, "calls", [a_row("calls", 1, answered_at=None, has_cdr=1), a_row("calls", 2, has_cdr=0)])
        rows = csv_rows(export(case, "calls", "csv"))
        assert [row["answered_at"] for row in rows] == ["", "2026-10-01T00:00:00.000002Z"]
        assert [row["has_cdr"] for row in rows] == ["true", "false"]

    def test_that_is_excel_safe_makes_texts_harmless_and_leaves_amounts_alone(self, case: Case) -> None:
        put(case, "cdrs", [a_row("cdrs", 1, tag="=SUM(A1)", src="18585550001", account="dept-0", margin=-1_500_000)])
        row = csv_rows(export(case, "cdrs", "csv", excel_safe=True))[0]
        assert (row["tag"], row["src"], row["account"]) == ("'=SUM(A1)", "'18585550001", "dept-0")
        assert (row["margin"], row["cost"], row["position"]) == ("-1.5", "0.000001", "1")
        assert row["cdr_at"] == "2026-10-01T00:00:00.000001Z"

    def test_that_is_excel_safe_leaves_days_and_periods_as_they_are(self, case: Case) -> None:
        put(case, "billing-days", [a_row("billing-days", 1, account="2026-10-01", day="2026-10-01")])
        row = csv_rows(export(case, "billing-days", "csv", excel_safe=True))[0]
        assert (row["account"], row["day"]) == ("'2026-10-01", "2026-10-01")


class TestExcelSafeText:
    @pytest.mark.parametrize("text", [*FORMULAS, *NUMBERS])
    def test_marks_what_a_spreadsheet_would_calculate(self, text: str) -> None:
        assert excel_safe_text(text) == f"'{text}"

    @pytest.mark.parametrize("text", [*HARMLESS, "9f7c2d66-0b5e-5b0a-8a53-4e1c8d4d2f11"])
    def test_leaves_other_text_alone(self, text: str) -> None:
        assert excel_safe_text(text) == text

    @given(TEXTS | st.from_regex(r"[ \d.,:/+\-()%$eE]*"))
    def test_never_leaves_a_formula_or_a_number(self, text: str) -> None:
        safe = excel_safe_text(text)
        assert safe in (text, f"'{text}")
        assert not safe.lstrip().startswith(tuple("=+-@"))
        with pytest.raises(ValueError, match="could not convert"):
            float(safe.replace(",", "").replace("_", "x").lower().replace("inf", "x").replace("nan", "x"))

    def test_takes_no_time_for_long_texts(self) -> None:
        assert excel_safe_text("1" * 100_000 + "x") == "1" * 100_000 + "x"
        assert excel_safe_text("jan" * 50_000 + "1x").endswith("x")


class TestJson:
    def test_is_an_array_of_objects_with_amounts_as_text(self, case: Case) -> None:
        put(case, "exceptions", [a_row("exceptions", 1, cost=49_200_000, sip_credits=None, ordinal=None, tag="é=\n")])
        content = export(case, "exceptions", "json").decode()
        assert json.loads(content) == [
            {
                "flag": "text 1",
                "position": 1,
                "received_at": "2026-10-01T00:00:00.000001Z",
                "call_id": "text 1",
                "tag": "é=\n",
                "src": "text 1",
                "ordinal": None,
                "cost": "49.2",
                "sip_credits": None,
                "resolved_by": "text 1",
                "resolution": "text 1",
            }
        ]
        assert "é" in content

    def test_without_rows_is_still_json(self, case: Case) -> None:
        assert json.loads(export(case, "cdrs", "json")) == []
        assert export(case, "cdrs", "ndjson") == b""

    def test_by_line_holds_one_object_a_line(self, case: Case) -> None:
        put(case, "calls", [a_row("calls", n, tag="a\r\nb\u2028", has_cdr=n) for n in range(2)])
        lines = export(case, "calls", "ndjson").split(b"\n")
        assert [json.loads(line)["has_cdr"] for line in lines[:-1]] == [False, True]
        assert lines[-1] == b""


class TestParquet:
    def test_has_the_types_of_the_frames(self, case: Case) -> None:
        put(case, "cdrs", [a_row("cdrs", 1)])
        types = parquet.read_schema(io.BytesIO(export(case, "cdrs", "parquet")))
        assert types.field("src").type == pa.string()
        assert types.field("cost").type == pa.decimal128(18, 6)
        assert types.field("cdr_at").type == pa.timestamp("us", tz="UTC")
        assert types.field("billed_seconds").type == pa.int64()
        sums = parquet.read_schema(io.BytesIO(export(case, "billing", "parquet")))
        assert sums.field("sip_credits").type == pa.decimal128(38, 6)
        assert sums.names == [column.name for column in exported_columns(STORED_TABLES["billing"])]


class TestSheets:
    def test_hold_texts_as_text_cells_whatever_they_look_like(self, case: Case) -> None:
        texts = [*FORMULAS, *NUMBERS, *AWKWARD, *filter(None, HARMLESS)]
        put(case, "channels", [a_row("channels", n, tag=text) for n, text in enumerate(texts)])
        cells = [row[3] for row in sheet_cells(export(case, "channels", "xlsx"))]
        assert {cell.data_type for cell in cells} == {TYPE_STRING}
        # XML readers read every line break as "\n"; what Excel restores is in the escape.
        assert [unescaped(cell.value) for cell in cells] == texts

    @examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=st.lists(TEXTS, min_size=1, max_size=10))
    def test_hold_any_text(self, case: Case, texts: list[str]) -> None:
        _replace(case, "channels", [a_row("channels", n, tag=text) for n, text in enumerate(texts)])
        found = [unescaped(row[3].value) for row in sheet_cells(export(case, "channels", "xlsx"))]
        assert found == texts

    @pytest.mark.parametrize(
        ("amount", "data_type", "value"),
        [
            (999_999_999_999_999, TYPE_NUMERIC, 999999999.999999),
            (-1, TYPE_NUMERIC, -0.000001),
            (0, TYPE_NUMERIC, 0),
            (49_200_000, TYPE_NUMERIC, 49.2),
            (1_999_999_999_999_998, TYPE_STRING, "1999999999.999998"),
            (-1_000_000_000_000_001, TYPE_STRING, "-1000000000.000001"),
            (2**63 - 1, TYPE_STRING, "9223372036854.775807"),
        ],
    )
    def test_hold_amounts_as_numbers_while_they_fit(
        self, case: Case, amount: int, data_type: str, value: object
    ) -> None:
        put(case, "billing", [a_row("billing", 1, cost=amount, calls=10**15 - 1, answered=10**15 + 1)])
        row = sheet_cells(export(case, "billing", "xlsx"))[0]
        assert (row[6].data_type, row[6].value) == (data_type, value)
        assert (row[2].value, row[3].value) == (10**15 - 1, str(10**15 + 1))

    def test_have_a_header_times_as_text_and_truth(self, case: Case) -> None:
        put(case, "calls", [a_row("calls", 1, answered_at=None, has_cdr=1)])
        sheet = openpyxl.load_workbook(io.BytesIO(export(case, "calls", "xlsx"))).active
        header, row = sheet.iter_rows(values_only=True)
        values = dict(zip(header, row, strict=True))
        assert list(header) == [column.name for column in exported_columns(STORED_TABLES["calls"])]
        assert values["opened_at"] == "2026-10-01T00:00:00.000001Z"
        assert values["answered_at"] is None
        assert values["has_cdr"] is True
        assert sheet.title == "calls"

    def test_of_too_many_rows_are_refused_before_anything_is_written(self, case: Case, tmp_path: Path) -> None:
        fill_channels(case, 4)
        out = tmp_path / "channels.xlsx"
        with pytest.raises(SheetTooSmall, match="holds 3 rows below its header, and there are 4: use CSV"):
            write_export(case.ledger, case.store, "channels", ALL, "xlsx", out, sheet_rows_max=3)
        assert not out.exists()
        only_three = build_selection("channels", until="2026-10-01T00:00:00.000004Z", timezone="UTC")
        assert write_export(case.ledger, case.store, "channels", only_three, "xlsx", out, sheet_rows_max=3) == 3

    @pytest.mark.parametrize("text", ["x" * 32_768, "😀" * 16_384])
    def test_of_too_long_a_text_are_refused(self, case: Case, text: str) -> None:
        put(case, "calls", [a_row("calls", 1, digits=text)])
        with pytest.raises(SheetTooSmall, match="holds 32767 characters, and one of digits has 32768: use CSV"):
            export(case, "calls", "xlsx")

    @pytest.mark.parametrize("text", ["x" * 32_767, "é" * 32_767, "😀" * 16_383])
    def test_hold_the_longest_text(self, case: Case, text: str) -> None:
        put(case, "calls", [a_row("calls", 1, digits=text)])
        assert text in [cell.value for cell in sheet_cells(export(case, "calls", "xlsx"))[0]]


class TestExactness:
    @examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(amounts=st.lists(AMOUNTS, min_size=1, max_size=12))
    @example(amounts=[10**18 - 1, -(10**18) + 1, 0, None, 1, -1, 10**6, -(10**6), 10**15, 1_999_999_999_999_998])
    def test_amounts_come_back_from_every_format(self, case: Case, amounts: list[int | None]) -> None:
        _replace(case, "cdrs", [a_row("cdrs", n, src_charge=amount) for n, amount in enumerate(amounts)])
        expected = [None if amount is None else Decimal(amount).scaleb(-6) for amount in amounts]
        for file_format, read in READERS.items():
            assert read(export(case, "cdrs", file_format), "src_charge") == expected, file_format

    @examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(sums=st.lists(INT64, min_size=1, max_size=12))
    @example(sums=[2**63 - 1, -(2**63), 0, -1])
    def test_sums_come_back_from_every_format(self, case: Case, sums: list[int]) -> None:
        _replace(
            case, "billing", [a_row("billing", 1, account=f"{n:03d}", margin=total) for n, total in enumerate(sums)]
        )
        expected = [Decimal(total).scaleb(-6) for total in sums]
        for file_format, read in READERS.items():
            assert read(export(case, "billing", file_format), "margin") == expected, file_format

    @given(INT64)
    def test_plain_amounts_have_neither_exponent_nor_needless_zeros(self, amount: int) -> None:
        assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?", plain(amount))
        assert Decimal(plain(amount)).scaleb(6) == amount


def _replace(case: Case, model: str, rows: list[dict[str, object]]) -> None:
    with case.store.transaction() as connection:
        connection.execute(delete(STORED_TABLES[model]))
    put(case, model, rows)


def _decimals(values: list[Any]) -> list[Decimal | None]:
    return [Decimal(str(value)) if value not in (None, "") else None for value in values]


def _of_sheet(content: bytes, column: str) -> list[Decimal | None]:
    header, *rows = openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
    return _decimals([row[header.index(column)] for row in rows])


READERS: dict[str, Callable[[bytes, str], list[Decimal | None]]] = {
    "csv": lambda content, column: _decimals([row[column] for row in csv_rows(content)]),
    "json": lambda content, column: _decimals([row[column] for row in json.loads(content)]),
    "ndjson": lambda content, column: _decimals([json.loads(line)[column] for line in content.splitlines()]),
    "parquet": lambda content, column: parquet.read_table(io.BytesIO(content))[column].to_pylist(),
    "xlsx": _of_sheet,
}


class TestSelecting:
    @pytest.mark.parametrize("file_format", Format)
    def test_exports_only_what_is_selected(self, case: Case, file_format: str) -> None:
        put(case, "cdrs", [a_row("cdrs", n, tag="ab"[n % 2]) for n in range(10)])
        content = export(case, "cdrs", file_format, Selection(tag="a"))
        found = READERS[file_format](content, "position")
        assert found == [0, 2, 4, 6, 8]

    def test_by_what_the_model_lacks_is_refused_before_anything_is_written(self, case: Case, tmp_path: Path) -> None:
        out = tmp_path / "billing.csv"
        with pytest.raises(SelectionError):
            write_export(case.ledger, case.store, "billing", Selection(tag="a"), "csv", out)
        assert not out.exists()

    def test_days_begin_in_the_ledgers_time_zone(self, tmp_path: Path) -> None:
        with a_ledger(f"sqlite:///{tmp_path}/t.db", "Asia/Kathmandu") as case:
            put(case, "billing-days", [a_row("billing-days", 1, day=f"2026-10-0{n}") for n in (1, 2)])
            selection = build_selection("billing-days", since="2026-10-02", timezone="Asia/Kathmandu")
            assert [row["day"] for row in csv_rows(export(case, "billing-days", "csv", selection))] == ["2026-10-02"]

    def test_an_unknown_format_is_refused(self, case: Case) -> None:
        with pytest.raises(
            LedgerError, match="'pdf' is not a format: expected one of csv, parquet, json, ndjson, xlsx"
        ):
            export(case, "cdrs", "pdf")

    @pytest.mark.parametrize("file_format", Format)
    def test_tells_how_many_rows_have_passed(self, case: Case, file_format: str) -> None:
        fill_channels(case, 10_001)
        told: list[int] = []
        assert (
            write_export(case.ledger, case.store, "channels", ALL, file_format, io.BytesIO(), progress=told.append)
            == 10_001
        )
        at_once = {"parquet": PARQUET_ROWS_AT_ONCE, "xlsx": excel.ROWS_AT_ONCE}.get(file_format, ROWS_AT_ONCE)
        assert told == [*range(at_once, 10_001, at_once), 10_001]

    def test_shows_one_moment_whoever_writes_meanwhile(self, case: Case) -> None:
        fill_channels(case, 20_000)

        def more(rows: int) -> None:
            put(case, "channels", [a_row("channels", 100_000 + rows)])

        assert len(csv_rows(export(case, "channels", "csv", progress=more))) == 20_000


@pytest.mark.parametrize("file_format", Format)
class TestAFile:
    def test_holds_what_a_stream_gets(self, case: Case, tmp_path: Path, file_format: str) -> None:
        fill_channels(case, 3)
        out = tmp_path / "out"
        write_export(case.ledger, case.store, "channels", ALL, file_format, out)
        if file_format != Format.XLSX:  # A workbook holds the second at which it was made.
            assert out.read_bytes() == export(case, "channels", file_format)
        assert READERS[file_format](out.read_bytes(), "position") == [1, 2, 3]

    def test_replaces_another_as_a_whole(self, case: Case, tmp_path: Path, file_format: str) -> None:
        fill_channels(case, 3)
        out = tmp_path / "out"
        out.write_bytes(b"old")
        out.chmod(0o640)
        with out.open("rb") as reader:
            write_export(case.ledger, case.store, "channels", ALL, file_format, out)
            assert reader.read() == b"old"
        assert READERS[file_format](out.read_bytes(), "position") == [1, 2, 3]
        assert stat.S_IMODE(out.stat().st_mode) == 0o640
        assert _leftovers(tmp_path) == []

    @pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device"), RuntimeError])
    def test_is_untouched_by_a_failure(self, case: Case, tmp_path: Path, file_format: str, failure: Any) -> None:
        fill_channels(case, 10_001)
        out = tmp_path / "out"
        out.write_bytes(b"old")

        def fail(rows: int) -> None:
            if rows > 10_000:
                raise failure

        expected = NotWritten if isinstance(failure, OSError) else failure
        with pytest.raises(expected):
            write_export(case.ledger, case.store, "channels", ALL, file_format, out, progress=fail)
        assert out.read_bytes() == b"old"
        assert _leftovers(tmp_path) == []

    def test_in_a_directory_that_is_not_there_is_refused(self, case: Case, tmp_path: Path, file_format: str) -> None:
        out = tmp_path / "none" / "out"
        with pytest.raises(NotWritten, match=r"the export cannot be written to .*/none/out: No such file or directory"):
            write_export(case.ledger, case.store, "channels", ALL, file_format, out)

    def test_that_is_a_directory_is_refused(self, case: Case, tmp_path: Path, file_format: str) -> None:
        (tmp_path / "out").mkdir()
        with pytest.raises(NotWritten, match="Is a directory"):
            write_export(case.ledger, case.store, "channels", ALL, file_format, tmp_path / "out")
        assert _leftovers(tmp_path) == []

    def test_that_is_a_link_stays_one(self, case: Case, tmp_path: Path, file_format: str) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "out")
        write_export(case.ledger, case.store, "channels", ALL, file_format, tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "out").stat().st_size > 0 or file_format == Format.NDJSON

    def test_that_is_a_pipe_is_written_into(self, case: Case, tmp_path: Path, file_format: str) -> None:
        fill_channels(case, 3)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write_export(case.ledger, case.store, "channels", ALL, file_format, pipe)
        reader.join()
        assert READERS[file_format](read[0], "position") == [1, 2, 3]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
    def test_that_is_a_full_device_is_refused(self, case: Case, file_format: str) -> None:
        put(case, "calls", [a_row("calls", 1)])
        with pytest.raises(NotWritten, match="No space left on device"):
            write_export(case.ledger, case.store, "calls", ALL, file_format, Path("/dev/full"))
        assert Path("/dev/full").is_char_device()


# Each starts a process: one format at once, all in the thorough run.
ONE_FORMAT_FIRST = [each if each == Format.CSV else pytest.param(each, marks=pytest.mark.thorough) for each in Format]


@pytest.mark.parametrize("file_format", ONE_FORMAT_FIRST)
class TestAFileOfAnotherProcess:
    def test_is_untouched_when_the_process_is_killed(self, case: Case, tmp_path: Path, file_format: str) -> None:
        fill_channels(case, 10_001)
        out = tmp_path / "out"
        out.write_bytes(b"old")
        code = """
def die(rows):
    os.kill(os.getpid(), signal.SIGKILL)
write_export(ledger, store, "channels", Selection(), file_format, out, progress=die)
"""
        assert in_process(code, case.url, file_format, out).returncode == -signal.SIGKILL
        assert out.read_bytes() == b"old"
        assert write_export(case.ledger, case.store, "channels", ALL, file_format, out) == 10_001
        assert len(READERS[file_format](out.read_bytes(), "position")) == 10_001

    def test_is_untouched_when_the_disk_is_full(self, case: Case, tmp_path: Path, file_format: str) -> None:
        fill_channels(case, 10_001)
        out = tmp_path / "out"
        out.write_bytes(b"old")
        code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_export(ledger, store, "channels", Selection(), file_format, out)
except NotWritten as error:
    print(error)
store.close()
ledger.close()
"""
        ended = in_process(code, case.url, file_format, out)
        assert (ended.stdout, ended.stderr) == (f"the export cannot be written to {out}: File too large\n", "")
        assert out.read_bytes() == b"old"
        assert _leftovers(tmp_path) == []

    def test_in_an_unwritable_directory_is_refused(self, case: Case, tmp_path: Path, file_format: str) -> None:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o555)
        code = """
from projections.export import excel  # It is loaded with the first workbook, and nobody may not read all of root's files.
if os.geteuid() == 0:  # Root may write everywhere, nobody may not.
    os.seteuid(65534)
try:
    write_export(ledger, store, "channels", Selection(), file_format, out)
except NotWritten as error:
    print(error)
store.close()
ledger.close()
"""
        ended = in_process(code, case.url, file_format, locked / "out")
        assert ended.stdout == f"the export cannot be written to {locked}/out: Permission denied\n"
        assert list(locked.iterdir()) == []


class _Closed(io.RawIOBase):
    """A pipe whose reader has gone."""

    def writable(self) -> bool:
        return True

    def write(self, _data: Any) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("file_format", Format)
def test_a_reader_that_has_gone_is_no_failure_of_the_export(case: Case, file_format: str) -> None:
    fill_channels(case, 1)
    with pytest.raises(BrokenPipeError):
        write_export(case.ledger, case.store, "channels", ALL, file_format, _Closed())  # type: ignore[arg-type]


def _leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.startswith(".")]


ROWS_COMPARED = (12_000, 120_000)


@pytest.fixture(scope="module", params=SQLITE_FIRST)
def small_and_large(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    """The addresses of two ledgers of which one has ten times the rows."""
    with ExitStack() as stack:
        if request.param == "postgres":
            urls = [stack.enter_context(postgres.database()) for _ in ROWS_COMPARED]
        else:
            urls = [f"sqlite:///{tmp_path_factory.mktemp('peak')}/t.db" for _ in ROWS_COMPARED]
        for url, count in zip(urls, ROWS_COMPARED, strict=True):
            with a_ledger(url) as case:
                fill_channels(case, count)
        yield urls


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.thorough
@pytest.mark.parametrize("file_format", Format)
def test_ten_times_the_rows_need_no_more_memory(small_and_large: list[str], tmp_path: Path, file_format: str) -> None:
    small, large = (_peak_kib(url, file_format, tmp_path / "out") for url in small_and_large)
    assert large < 1.15 * small, f"{small} KiB for {ROWS_COMPARED[0]} rows, {large} KiB for {ROWS_COMPARED[1]}"


def _peak_kib(url: str, file_format: str, out: Path) -> int:
    code = """
write_export(ledger, store, "channels", Selection(), file_format, out)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(peak.split()[1])
store.close()
ledger.close()
"""
    ended = in_process(code, url, file_format, out)
    assert ended.stderr == ""
    return int(ended.stdout)
