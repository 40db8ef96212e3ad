"""A statement becomes records: its form, its columns and its numbers, without a ledger (the command's tests have one)."""

from collections.abc import Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest

from api.application.importing.files import OpenedFile
from api.application.importing.rows import UnreadableRow, WrongTable
from api.application.reconciliation.carrier_statement import CarrierLayout, CarrierRecord, read_carrier_statement
from api.application.reconciliation.columns import NumberFormat, find_columns, format_number, read_number, weight
from domain import times

AT = "2026-10-15T12:00:00Z"
MOMENT = times.parse(AT)
NOTHING_GIVEN: dict[str, str] = {}
HEADER = "tag,src,time,cost\n"
COMMA = NumberFormat(comma=True)
Entries = list[CarrierRecord | UnreadableRow]


def opened(text: str | bytes) -> OpenedFile:
    file = BytesIO(text.encode(errors="surrogateescape") if isinstance(text, str) else text)
    return OpenedFile(iter(file.readline, b""), file.tell, file.read)


def read(text: str | bytes, given: Mapping[str, str] = NOTHING_GIVEN, **layout: Any) -> Entries:
    return list(read_carrier_statement(opened(text), CarrierLayout(given, **layout)).entries)


def record(line: int = 1, *numbers: int, tag: str = "sales", src: str = "1", at: int = MOMENT) -> CarrierRecord:
    return CarrierRecord(line, tag, src, at, at, numbers)


class TestAStatementOfLines:
    def test_has_a_record_for_each_row_with_its_line(self) -> None:
        rows = f"sales,1,{AT},3.5\nsales,+2,{AT},0\n"
        expected = [record(2, 3_500_000), record(3, 0, src="2")]
        for text in (HEADER + rows, "\ufeff" + HEADER + rows, HEADER.replace(",", ";") + rows.replace(",", ";")):
            assert read(text, delimiter=";" if ";" in text else ",") == expected
        assert read(HEADER) == []

    def test_without_numbers_has_records_without_one(self) -> None:
        assert read(f"tag,time,cost\nsales,{AT},1\n") == [record(2, 1_000_000, src="")]

    def test_says_what_is_wrong_with_a_row_and_goes_on(self) -> None:
        rows = f"sales,1,{AT},x\nsales,\udcff,{AT},1\n\udcff,1,{AT},1\nZürich,1,{AT},1\n"
        *wrong, right = read(HEADER + rows)
        assert right == record(5, 1_000_000, tag="Zürich")
        assert [(each.line, type(each)) for each in wrong] == [(line, UnreadableRow) for line in (2, 3, 4)]
        reasons = [each.reason for each in wrong if isinstance(each, UnreadableRow)]
        assert reasons[0].startswith(
            "cost='x': expected a plain decimal, below 1000000000, with at most 9 digits before and 30 after the point"
        )
        for name, reason in zip(("src", "tag"), reasons[1:], strict=True):
            assert (reason.startswith(f"{name}="), reason.endswith(": expected a text in UTF-8")) == (True, True)

    @pytest.mark.parametrize(("rule", "src"), [(1, "gtalk:joann@x"), (2, "gtalk:jo.ann@x")])
    def test_has_numbers_as_the_line_rule_of_the_ledger_reads_them(self, rule: int, src: str) -> None:
        assert read(HEADER + f"sales,gtalk:jo.ann@x,{AT},1\n", line_rule=rule) == [record(2, 1_000_000, src=src)]

    def test_has_both_readings_of_a_time_that_came_twice(self) -> None:
        (found,) = read(HEADER + "sales,1,2026-10-25 02:30:00,1\n", timezone="Europe/Berlin")
        readings = (times.parse("2026-10-25T00:30:00Z"), times.parse("2026-10-25T01:30:00Z"))
        assert found == record(2, 1_000_000, at=readings[0])._replace(or_at=readings[1])

    def test_may_have_times_in_a_form_of_its_own(self) -> None:
        (found,) = read(HEADER + "sales,1,15.10.2026 12:00,1\n", date_format="%d.%m.%Y %H:%M")
        assert found == record(2, 1_000_000)

    @pytest.mark.parametrize(
        ("text", "before"), [("0", 0), ("61", 61_000_000), ("1.5", 1_500_000), ("0.000001", 1), ("2.25", 2_250_000)]
    )
    def test_may_have_times_in_seconds_before_another(self, text: str, before: int) -> None:
        assert read(HEADER + f"sales,1,{text},1\n", relative_to=MOMENT) == [record(2, 1_000_000, at=MOMENT - before)]

    @pytest.mark.parametrize("text", ["-1", "1e3", "1.", "1.1234567", "x" * 99])
    def test_has_no_other_seconds(self, text: str) -> None:
        (found,) = read(HEADER + f"sales,1,{text},1\n", relative_to=MOMENT)
        assert isinstance(found, UnreadableRow)
        assert found.reason.startswith("time=")
        assert found.reason.endswith(": expected seconds before the time of --relative-to")
        assert len(found.reason) < 140

    def test_reaches_back_to_1970_and_not_beyond(self) -> None:
        first, second = read(HEADER + "sales,1,5,1\nsales,1,5.000001,1\n", relative_to=5_000_000)
        assert first == record(2, 1_000_000, at=0)
        assert second == UnreadableRow(3, "time='5.000001': expected seconds that do not reach before 1970")


OBJECT = f'{{"tag":"sales","src":"1","time":"{AT}","cost":3.5}}'


class TestAStatementOfObjects:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            (f"[{OBJECT}]", None),
            (f" \n[\n{OBJECT}\n]", None),
            (f'{{"ok":true,"none":[],"cdrs":[{OBJECT}]}}', None),
            (f'{{"a":{{"b":[{OBJECT}]}},"other":[{{}}]}}', "a.b"),
            (f'{{"a":{{"b":{OBJECT}}}}}', "a.b"),
            (OBJECT, None),
            ("\ufeff" + OBJECT, None),
        ],
    )
    def test_has_them_in_an_array_wherever_it_is_or_one_on_a_line(self, text: str, path: str | None) -> None:
        assert read(text.lstrip(" \n") if text.startswith(" ") else text, records=path) == [record(1, 3_500_000)]

    def test_numbers_them_from_1_or_by_their_line(self) -> None:
        other = OBJECT.replace("3.5", "60.0").replace('"1"', "2")
        expected = [record(1, 3_500_000), record(3, 60_000_000, src="2")]
        assert read(f"{OBJECT}\n\n{other}\n") == expected
        assert read(f"[{OBJECT},{other}]") == [expected[0], expected[1]._replace(line=2)]

    def test_has_what_an_object_lacks_as_nothing_and_numbers_by_their_value(self) -> None:
        text = (
            '{"tag":null,"time":0,"cost":1.0e-5},{"tag":7,"time":1,"cost":15e-1},{"tag":true,"time":1.50,"cost":1E+2}'
        )
        assert read(f"[{text}]", relative_to=MOMENT) == [
            record(1, 10, tag="", src=""),
            record(2, 1_500_000, tag="7", src="", at=MOMENT - 1_000_000),
            record(3, 100_000_000, tag="true", src="", at=MOMENT - 1_500_000),
        ]

    def test_does_not_write_out_a_number_that_is_far_too_long(self) -> None:
        found = read('[{"tag":"a","time":0,"cost":1e60},{"tag":"a","time":0,"cost":1e50}]', relative_to=MOMENT)
        reasons = [each.reason for each in found if isinstance(each, UnreadableRow)]
        assert [reason.split(":")[0] for reason in reasons] == ["cost='1E+60'", "cost='1" + "0" * 50 + "'"]

    def test_says_what_is_wrong_with_one_and_goes_on(self) -> None:
        cut, list_ = read(f"{OBJECT}\n{{\n[1]\n")[1:]
        assert isinstance(cut, UnreadableRow)
        assert (cut.line, list_) == (2, UnreadableRow(3, "expected a JSON object"))
        more = OBJECT.replace("}", ',"extra":1}')
        assert read(f"{OBJECT}\n{more}\n{OBJECT}")[1:] == [
            UnreadableRow(2, "it has extra, which the first record has not: expected the same names in all"),
            record(3, 3_500_000),
        ]

    @pytest.mark.parametrize(
        ("text", "path", "why"),
        [
            ("[1, 2", None, "^the JSON cannot be read: Input data was truncated"),
            ("", None, "^there is no tag: .*; the header has no columns"),
            ("[]", None, "^expected a JSON array of objects, or one object a line$"),
            ("{", "a", "^the JSON cannot be read: "),
            ('{"a":1,"bb":2}', "c", "^--records c: there is no 'c'; got a, bb$"),
            ('{"a":1}', "a.c", "^--records a.c: there is no 'c'; got no names$"),
            ('{"a":1}', "a", "^--records a: expected an array of objects there$"),
        ],
    )
    def test_without_any_is_refused(self, text: str, path: str | None, why: str) -> None:
        with pytest.raises(WrongTable, match=why):
            read(text, records=path)

    def test_with_two_arrays_of_objects_is_one_object_on_a_line(self) -> None:
        with pytest.raises(WrongTable, match=r"there is no tag: .*; the header has a, b"):
            read('{"a":[{}],"b":[{}]}')


class TestColumns:
    def test_are_found_by_their_names_whatever_their_case_and_spaces(self) -> None:
        header = ["Call Tag", "Phone-Number", "Date/Time", "dest duration", "DST_Charge", "srcsipcharge", "x"]
        found = find_columns(header, {})
        names = ("tag", "src", "time", "dest_duration", "dest_charge", "src_sip_charge")
        assert found.places == {name: place for place, name in enumerate(names)}
        assert found.compared == ("dest_duration", "dest_charge", "src_sip_charge")

    def test_of_sums_are_found_only_without_their_parts(self) -> None:
        assert find_columns(["tag", "time", "cost", "sipcredits"], {}).compared == ("cost", "sip_credits")
        parts = ["tag", "time", "cost", "sipcredits", "srccharge", "destsipcharge"]
        assert find_columns(parts, {}).compared == ("src_charge", "dest_sip_charge")

    def test_may_be_named_or_excluded(self) -> None:
        found = find_columns(["tag", "a", "b", "cost"], {"time": "b", "src_duration": "a", "cost": ""})
        assert found.places == {"tag": 0, "time": 2, "src_duration": 1}

    @pytest.mark.parametrize(
        ("header", "given", "why"),
        [
            ("time,cost", {}, "^there is no tag: expected --column NAME=COLUMN for it; the header has time, cost$"),
            ("tag,cost", {}, "^there is no time: "),
            ("tag,time", {}, "^there is no one of src_duration, dest_duration, src_charge, "),
            ("tag,time,date,cost", {}, "^time could be any of time, date: expected --column time=COLUMN$"),
            (
                "tag,time,cost",
                {"src": "x"},
                "^src=x: expected one column of that name; the header has tag, time, cost$",
            ),
            ("tag,time,a,a", {"cost": "a"}, "^cost=a: expected one column of that name"),
        ],
    )
    def test_that_are_missing_or_not_clear_are_refused(self, header: str, given: dict[str, str], why: str) -> None:
        with pytest.raises(WrongTable, match=why):
            find_columns(header.split(","), given)


class TestANumber:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("", 0), ("7", 7), ("999999999", 999_999_999), ("1:05", 65), ("99999:59", 5_999_999), ("1:02:03", 3723)],
    )
    def test_of_seconds_may_be_written_as_on_a_clock(self, text: str, seconds: int) -> None:
        assert (read_number("src_duration", text), read_number("dest_duration", text)) == (seconds, seconds)

    @pytest.mark.parametrize("text", ["1.0", "-1", "1:60", "1:5", "1000000000", "x"])
    def test_of_seconds_is_nothing_else(self, text: str) -> None:
        with pytest.raises(ValueError, match=f"^src_duration='{text}': expected a whole number of seconds, or mm:ss$"):
            read_number("src_duration", text)

    @pytest.mark.parametrize(
        ("text", "form", "amount"),
        [
            ("", NumberFormat(), 0),
            ("-1.5", NumberFormat(), -1_500_000),
            ("1.0E-5", NumberFormat(), 10),
            ("0.0000005", NumberFormat(), 0),
            ("0.0000015", NumberFormat(), 2),
            ("1,5", COMMA, 1_500_000),
            ("1.234,5", COMMA, 1_234_500_000),
            ("-1.234.567", COMMA, -1_234_567_000_000),
            ("12", COMMA, 12_000_000),
            ("-0.015", NumberFormat(scale=Decimal(100)), -1_500_000),
            ("0.0000005", NumberFormat(scale=Decimal(3)), 2),
            ("999999999.999999", NumberFormat(), 999_999_999_999_999),
            ("-9999999", NumberFormat(scale=Decimal(100)), -999_999_900_000_000),
            ("0,5", NumberFormat(comma=True, scale=Decimal("0.5")), 250_000),
        ],
    )
    def test_of_money_is_exact_to_a_millionth(self, text: str, form: NumberFormat, amount: int) -> None:
        assert read_number("cost", text, form) == amount

    @pytest.mark.parametrize(
        ("text", "form", "expected"),
        [
            (
                "1,5",
                NumberFormat(),
                "a plain decimal, below 1000000000, with at most 9 digits before and 30 after the point",
            ),
            (
                "1.5",
                COMMA,
                "a plain decimal with a comma, below 1000000000, with at most 9 digits before and 30 after the comma",
            ),
            ("1,2,3", COMMA, "a plain decimal with a comma, "),
            ("1.23,5", COMMA, "a plain decimal with a comma, "),
            ("1e9", NumberFormat(), "a plain decimal, below 1000000000, "),
            ("-1e60", NumberFormat(), "a plain decimal, below 1000000000, "),
            (
                "10000",
                NumberFormat(scale=Decimal(100_000)),
                "a plain decimal, below 1000000000 once multiplied by 100000, ",
            ),
        ],
    )
    def test_of_money_is_nothing_else(self, text: str, form: NumberFormat, expected: str) -> None:
        with pytest.raises(ValueError, match=f"^cost='{text}': expected {expected}"):
            read_number("cost", text, form)

    def test_of_seconds_weighs_as_much_as_a_cent_and_is_shown_as_it_is(self) -> None:
        assert [weight(name) for name in ("src_duration", "cost", "sip_credits")] == [1_000_000, 1, 1]
        assert [format_number(name, 1_500_000) for name in ("dest_duration", "cost")] == ["1500000", "1.5"]
