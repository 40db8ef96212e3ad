"""``tringledger reconcile``: the ledger against a statement, as its user sees it."""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.ledger import Ledger
from tests.support.command import Said, run
from tests.support.notices import callstatus, line, priced_cdr, signed
from tests.support.samples import SAMPLES

DONE, FINDING, USAGE = 0, 1, 2
AT = "2026-10-15T12:00:00.000000Z"
HEADER = "tag,src,time,dest_duration,src_charge,dest_charge\n"
SAME = "sales,1858 555 0001,2026-10-15 12:00:04,50,1.5,2.00\n"


def statement(*rows: str, header: str = HEADER) -> str:
    return header + "".join(rows)


def reconciled(text: str | bytes, *arguments: str) -> Said:
    return run("reconcile", *arguments, "-", stdin=text)


def classes(said: Said) -> dict[str, int]:
    return {each["class"]: each["records"] for each in said.json()["classes"] if each["records"]}


def judged(text: str, *arguments: str) -> tuple[int, dict[str, int]]:
    said = reconciled(text, "--format", "json", *arguments)
    return said.code, classes(said)


class TestOneCall:
    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        run("import", "--store", store, "-", stdin=line(signed(priced_cdr()), AT))

    @pytest.mark.parametrize(
        ("row", "verdict"),
        [
            (SAME, "exact"),
            ("sales,18585550001,2026-10-15T12:00:00Z,52,1.5,2\n", "within-tolerance"),
            ("sales,18585550001,2026-10-15T12:00:00Z,53,1.5,2\n", "duration-differs"),
            ("sales,18585550001,2026-10-15T12:00:00Z,53,9,2\n", "duration-differs"),
            ("sales,18585550001,2026-10-15T12:00:00Z,50,1.5,2.000001\n", "price-differs"),
            ("sales,18585550001,2026-10-15T12:00:00Z,51,1.5,\n", "price-differs"),
        ],
    )
    def test_is_in_the_class_that_its_numbers_say(self, row: str, verdict: str) -> None:
        code = DONE if verdict in ("exact", "within-tolerance") else FINDING
        assert judged(statement(row)) == (code, {verdict: 1})

    @pytest.mark.parametrize(
        "row",
        [
            SAME.replace("12:00:04", "12:05:01"),
            SAME.replace("sales", "Acme"),
            SAME.replace("0001", "0002"),
        ],
        ids=["too late", "another tag", "another number"],
    )
    def test_is_missing_on_both_sides_where_tag_number_or_time_do_not_fit(self, row: str) -> None:
        assert judged(statement(row)) == (FINDING, {"missing-here": 1, "missing-there": 1})

    def test_that_moved_after_its_month_was_closed_is_still_one_record(self, store: str) -> None:
        run("import", "-", stdin=line(signed(callstatus()), AT))
        with Ledger(store) as ledger, ledger.operator_session("kim", "over") as session:
            session.close_month("2026-10")
        (row,) = run("export", "cdrs", "--format", "json").json()
        assert run("call", "split", row["call_id"], "1", "--by", "kim", "--reason", "two calls").code == DONE
        assert len(run("export", "cdrs", "--format", "json").json()) == 2
        assert judged(statement(SAME)) == (DONE, {"exact": 1})

    def test_tolerance_and_window_can_be_chosen(self) -> None:
        row = SAME.replace("12:00:04", "12:05:01").replace(",50,", ",53,")
        assert judged(statement(row), "--window", "301", "--tolerance", "3") == (DONE, {"within-tolerance": 1})

    def test_money_is_added_up_by_class_and_tag(self) -> None:
        said = reconciled(statement(SAME.replace("2.00", "2.25"), SAME.replace("sales", "x")), "--format", "json")
        assert said.json()["totals"] == [
            total("price-differs", "sales", "3.5", "3.75", "0.25"),
            total("missing-here", "x", "0", "3.5", "3.5"),
        ]

    def test_differing_records_are_shown_and_all_on_demand(self) -> None:
        text = statement(SAME, SAME.replace("sales", "x"))
        (row,) = csv.DictReader(io.StringIO(reconciled(text, "--format", "csv").out))
        assert row | {"class": "missing-here", "tag": "x", "src": "18585550001", "line": "3", "call_id": ""} == row
        assert row["time"] == "2026-10-15T12:00:04.000000Z"
        rows = list(csv.DictReader(io.StringIO(reconciled(text, "--format", "csv", "--all").out)))
        assert [each["class"] for each in rows] == ["exact", "missing-here"]
        assert (rows[0]["dest_charge_here"], rows[0]["dest_charge_there"]) == ("2", "2")

    def test_tables_are_for_people(self) -> None:
        said = reconciled(statement(SAME.replace(",50,", ",55,")))
        assert said.code == FINDING
        assert "\nduration-differs  1        3.5        3.5         0\n" in said.out
        assert "\nduration-differs  sales  18585550001  " in said.out
        assert said.err.startswith("0 exact, 0 within-tolerance, 1 duration-differs,")

    def test_columns_are_mapped(self) -> None:
        header = "Name;Phone Number;When;Call Tag;talk;total\n"
        row = "sales;+1 (858) 555-0001;2026-10-15 14:00:00;x;50;3.5\n"
        mapped = ("--column", "tag=Name", "--column", "time=When", "--column", "dest_duration=talk")
        named = (*mapped, "--column", "cost=total", "--delimiter", ";", "--timezone", "Europe/Berlin")
        assert judged(statement(row, header=header), *named) == (DONE, {"exact": 1})

    def test_tringmes_own_names_are_found_and_others_ignored(self) -> None:
        header = "Tag,SRC,Date,destduration,srccharge,destcharge,remark\n"
        assert judged(statement(SAME.replace("\n", ",x\n"), header=header)) == (DONE, {"exact": 1})

    def test_without_a_number_the_tag_decides(self) -> None:
        assert judged(f"tag,time,cost\nsales,{AT},3.5\n") == (DONE, {"exact": 1})

    @pytest.mark.parametrize("form", ["array", "lines", "wrapped"])
    def test_json_is_taken_with_its_numbers_exact(self, form: str) -> None:
        text = f'{{"tag":"sales","src":"18585550001","time":"{AT}","srccharge":1.500000,"destcharge":2,"extra":[1]}}'
        whole = {"array": f"[{text}]", "lines": f"{text}\n", "wrapped": f'{{"ok":true,"cdrs":[{text}]}}'}
        assert judged(whole[form]) == (DONE, {"exact": 1})

    def test_a_line_that_cannot_be_read_is_a_finding(self) -> None:
        said = reconciled(statement(SAME, SAME.replace("2.00", '"1,234.00"'), SAME.replace(",50,", ",5e1,")))
        assert said.code == FINDING
        assert "stdin, line 3: dest_charge='1,234.00': expected a plain decimal" in said.err
        assert "stdin, line 4: dest_duration='5e1': expected a whole number of seconds" in said.err
        assert said.err.rstrip().endswith(", 2 unreadable")

    def test_a_file_that_ends_too_early_is_named_and_nothing_is_concluded(self, tmp_path: Path) -> None:
        (tmp_path / "cut.gz").write_bytes(gzip.compress(statement(SAME).encode())[:-9])
        said = run("reconcile", "cut.gz")
        assert (said.code, said.out) == (FINDING, "")
        assert "cut: it cannot be read any further" in said.err

    @pytest.mark.parametrize(
        ("text", "arguments", "why"),
        [
            ("", (), "there is no tag"),
            ("tag,cost\n", (), "there is no time"),
            ("tag,time\n", (), "there is no one of src_duration"),
            ("tag,date,time,cost\n", (), "time could be any of date, time: expected --column time=COLUMN"),
            ("tag,time,cost\n", ("--column", "cost=Cost"), "cost=Cost: expected one column of that name"),
            ("[1, 2", (), "the JSON cannot be read"),
            ("[]", (), "expected a JSON array of objects"),
            (HEADER, ("--period", "2026-13"), "not a month"),
            (HEADER, ("--period", "2026-10", "--from", "2026-10-01"), "either --period"),
            (HEADER, ("--column", "price=x"), "expected NAME=VALUE"),
        ],
    )
    def test_what_cannot_be_meant_is_wrong_usage(self, text: str, arguments: tuple[str, ...], why: str) -> None:
        said = reconciled(text, *arguments)
        assert (said.code, said.out) == (USAGE, "")
        assert why in said.err


def total(verdict: str, tag: str, here: str, there: str, more: str) -> dict[str, Any]:
    return {"class": verdict, "tag": tag, "records": 1, "cost_here": here, "cost_there": there, "cost_more": more}


@pytest.mark.only_on("sqlite")
def test_numbers_are_compared_as_numbers_where_tags_alone_make_the_line(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRINGLEDGER_CORRELATION", "tag")
    run("import", "--store", store, "-", stdin=line(signed(priced_cdr(src="+1 (858) 555-0001")), AT))
    assert judged(statement(SAME)) == (DONE, {"exact": 1})


class TestASample:
    @pytest.fixture(autouse=True, params=["adverse", "busy-lines"])
    def imported(self, request: pytest.FixtureRequest, store: str) -> None:
        run("import", str(SAMPLES / f"{request.param}.ndjson"), "--store", store)

    @pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
    def test_agrees_exactly_with_its_own_export(self, form: str, tmp_path: Path) -> None:
        whole = run("export", "cdrs", "--format", form).out.encode()
        (tmp_path / "own.gz").write_bytes(gzip.compress(whole))
        said = run("reconcile", "own.gz", "--format", "json")
        count = len(run("export", "cdrs", "--format", "json").json())
        assert (said.code, classes(said)) == (DONE, {"exact": count})

    def test_every_record_of_either_side_is_in_one_class(self) -> None:
        ours = run("export", "cdrs", "--format", "json").json()
        theirs = list(mangled(ours))
        said = reconciled(msgspec.json.encode(theirs), "--format", "json", "--all")
        records = said.json()["records"]
        assert sorted(each["call_id"] for each in records if each["call_id"]) == sorted(
            each["call_id"] for each in ours
        )
        lines = sorted(int(each["line"]) for each in records if each["line"])
        assert lines == list(range(1, len(theirs) + 1))
        assert {"exact", "duration-differs", "price-differs", "missing-here", "missing-there"} <= {*classes(said)}

    def test_limits_hold_for_both_sides_and_counterparts_are_found_beyond_them(self) -> None:
        ours = run("export", "cdrs", "--format", "json").json()
        inside = [each for each in ours if "2026-10" <= each["cdr_at"] < "2026-10-20"]
        said = reconciled(msgspec.json.encode(ours), "--format", "json", "--from", "2026-10", "--to", "2026-10-20")
        assert (said.code, classes(said).get("exact", 0)) == (DONE, len(inside))
        tag = ours[0]["tag"]
        said = reconciled(msgspec.json.encode(ours), "--format", "json", "--tag", tag)
        assert classes(said) == {"exact": sum(each["tag"] == tag for each in ours)}


def mangled(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return a statement with some records left out, doubled, longer, or dearer."""
    for number, row in enumerate(rows):
        fate = number % 7
        if fate == 1:
            continue
        yield row | {
            "dest_duration": (row["dest_duration"] or 0) + (99 if fate == 2 else 0),
            "dest_charge": f"{number}.5" if fate == 3 else row["dest_charge"],
        }
        if fate == 4:
            yield row
