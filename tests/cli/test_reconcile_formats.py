"""``tringledger reconcile``: statements as carriers write them, times on the edge of the limits, and units that differ."""

from contextlib import closing

import pytest

from domain import times
from projections.building.catch_up import catch_up
from projections.queries.conditions import build_selection
from projections.queries.row_stream import open_row_stream
from projections.stores.generations import open_current
from tests.support.command import Said, run
from tests.support.ledgers import opened, record
from tests.support.notices import START, callstatus, line, priced_cdr, signed

DONE, FINDING, USAGE = 0, 1, 2
AT = "2026-10-15T12:00:00Z"
# The ledger's call: 60 and 50 seconds, 1.5 and 2 cents.
ROW = "sales,2026-10-15 12:00:04,00:50,1.5,2\n"
HEADER = "tag,time,dest_duration,src_charge,dest_charge\n"


def reconciled(text: str, *arguments: str) -> Said:
    return run("reconcile", *arguments, "-", stdin=text)


def classes(said: Said) -> dict[str, int]:
    return {each["class"]: each["records"] for each in said.json()["classes"] if each["records"]}


def judged(text: str, *arguments: str) -> dict[str, int]:
    return classes(reconciled(text, "--format", "json", *arguments))


EXACT = {"exact": 1}


class TestAStatement:
    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        run("import", "--store", store, "-", stdin=line(signed(priced_cdr()), AT))

    @pytest.mark.parametrize("seconds", ["50", "0:50", "00:50", "0:00:50"])
    def test_may_have_durations_in_minutes_and_seconds(self, seconds: str) -> None:
        assert judged(HEADER + ROW.replace("00:50", seconds)) == EXACT

    @pytest.mark.parametrize("seconds", ["0:60", "1:5", "-1", "5e1", ":50"])
    def test_has_no_other_durations(self, seconds: str) -> None:
        assert "expected a whole number of seconds, or mm:ss" in reconciled(HEADER + ROW.replace("00:50", seconds)).err

    def test_may_have_a_decimal_comma_with_points_between_thousands(self) -> None:
        row = 'sales;2026-10-15 12:00:04;50;"1,5";2,000\n'
        assert judged(HEADER.replace(",", ";") + row, "--delimiter", ";", "--decimal", "comma") == EXACT
        said = reconciled(
            HEADER.replace(",", ";") + row.replace("2,000", "1.002,000"),
            *("--delimiter", ";", "--decimal", "comma", "--format", "csv"),
        )
        assert ",2,1002\r\n" in said.out
        said = reconciled(HEADER + ROW, "--decimal", "comma")
        assert "src_charge='1.5': expected a plain decimal with a comma" in said.err

    def test_may_be_in_another_unit(self) -> None:
        row = ROW.replace("1.5,2\n", "0.015,0.02\n")
        assert judged(HEADER + row, "--scale", "100") == EXACT
        assert judged(HEADER + ROW.replace("1.5,2\n", "3,4\n"), "--scale", "0.5") == EXACT

    @pytest.mark.parametrize("scale", ["0", "-1", "1e2", "", "a"])
    def test_is_not_scaled_by_nothing(self, scale: str) -> None:
        assert reconciled(HEADER + ROW, "--scale", scale).code == USAGE

    def test_may_have_times_in_a_form_of_its_own(self) -> None:
        row = ROW.replace("2026-10-15 12:00:04", "15.10.2026 14:00")
        assert judged(HEADER + row, "--date-format", "%d.%m.%Y %H:%M", "--timezone", "Europe/Berlin") == EXACT
        said = reconciled(HEADER + ROW, "--date-format", "%d.%m.%Y %H:%M")
        assert "time='2026-10-15 12:00:04': expected a time in the form %d.%m.%Y %H:%M" in said.err

    def test_may_have_times_in_seconds_before_the_request_as_tringmes_api_has(self) -> None:
        text = (
            '{"result":{"status":"ok","data":[{"tag":"sales","time":86396,"cost":3.5,"destduration":50.0}],"old":[{}]}}'
        )
        asked = ("--relative-to", "2026-10-16T12:00:00Z")
        assert judged(text, "--records", "result.data", *asked) == EXACT
        said = reconciled(text.replace("86396", '"yesterday"'), "--records", "result.data", *asked)
        assert "time='yesterday': expected seconds before the time of --relative-to" in said.err

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("result.date", "--records result.date: there is no 'date'; got data"),
            ("result.data.x", "--records result.data.x: there is no 'x'; got no names"),
            ("result", "--records result: expected an array of objects"),
        ],
    )
    def test_without_records_at_the_path_is_refused(self, path: str, why: str) -> None:
        text = '{"result":' + ('{"data":[{"tag":"x"}]}' if path != "result" else "7") + "}"
        said = reconciled(text, "--records", path)
        assert (said.code, why in said.err) == (USAGE, True), said.err

    @pytest.mark.parametrize("charges", ["1.50,2.0e0", "15e-1,2", '"1.5","2.00"'])
    def test_of_json_has_numbers_by_their_value(self, charges: str) -> None:
        src, dest = charges.split(",")
        text = f'[{{"tag":"sales","time":"{AT}","destduration":50.0,"srccharge":{src},"destcharge":{dest}}}]'
        assert judged(text) == EXACT

    def test_of_json_has_small_numbers_exactly(self) -> None:
        text = f'[{{"tag":"sales","time":"{AT}","srccharge":1.0e-5,"destcharge":2}}]'
        said = reconciled(text, "--format", "json")
        assert said.json()["records"][0]["src_charge_there"] == "0.00001"

    def test_with_negative_charges_is_read_judged_and_totalled_as_negative(self) -> None:
        said = reconciled(HEADER + ROW.replace("1.5,2\n", "-1.5,2\n"), "--format", "json")
        assert (said.code, classes(said)) == (FINDING, {"price-differs": 1})
        (found,) = said.json()["records"]
        assert (found["src_charge_here"], found["src_charge_there"]) == ("1.5", "-1.5")
        (total,) = said.json()["totals"]
        assert (total["cost_here"], total["cost_there"], total["cost_more"]) == ("3.5", "0.5", "-3")


def heard(store: str, *ats: int) -> None:
    """Record one call a moment, of 3.5 cents each."""
    with opened(store) as ledger:
        record(ledger, *(priced_cdr(at - START, src=place, r=at) for place, at in enumerate(ats)))


class TestTheLimits:
    def test_of_time_have_a_record_at_their_beginning_and_none_at_their_end(self, store: str) -> None:
        heard(store, *(times.parse(f"2026-10-{day}T00:00:00Z") for day in (15, 16)))
        text = "tag,src,time,cost\nsales,0,2026-10-15 00:00:00,3.5\nsales,1,2026-10-16 00:00:00,3.5\n"
        said = reconciled(text, "--format", "json", "--all", "--from", "2026-10-15", "--to", "2026-10-16")
        assert [each["src"] for each in said.json()["records"]] == ["0"]

    @pytest.mark.parametrize(("at", "call"), [("15T00:00:00", "14T23:59:59"), ("15T23:59:59", "16T00:00:01")])
    def test_of_time_have_a_record_whose_call_lies_just_beyond(self, at: str, call: str, store: str) -> None:
        heard(store, times.parse(f"2026-10-{call}Z"))
        text = f"tag,src,time,cost\nsales,0,2026-10-{at}Z,3.5\n"
        said = reconciled(text, "--format", "json", "--from", "2026-10-15", "--to", "2026-10-16")
        assert (said.code, classes(said)) == (DONE, EXACT)

    def test_of_time_have_a_call_just_inside_whose_record_lies_beyond(self, store: str) -> None:
        heard(store, times.parse("2026-10-15T00:00:01Z"))
        text = "tag,src,time,cost\nsales,0,2026-10-14T23:59:59Z,3.5\n"
        assert judged(text, "--from", "2026-10-15", "--to", "2026-10-16") == EXACT


def test_a_local_time_that_came_twice_is_tried_as_both(store: str) -> None:
    heard(store, times.parse("2026-10-25T00:30:00Z"), times.parse("2026-10-25T01:30:00Z"))
    text = "tag,src,time,cost\nsales,0,2026-10-25 02:30:00,3.5\nsales,1,2026-10-25 02:30:00,3.5\n"
    said = reconciled(text, "--timezone", "Europe/Berlin", "--format", "json", "--all")
    assert [each["time"][:16] for each in said.json()["records"]] == ["2026-10-25T00:30", "2026-10-25T01:30"]
    assert classes(said) == {"exact": 2}


@pytest.mark.only_on("sqlite")
def test_a_second_counts_as_much_as_a_cent_where_calls_are_matched(store: str) -> None:
    at = times.parse(AT)
    with opened(store) as ledger:
        calls = ((50, "2"), (80, "2.1"))
        record(
            ledger,
            *(
                priced_cdr(at - START, srcduration=length, srccharge=charge, destcharge=None, r=length)
                for length, charge in calls
            ),
        )
    rows = "".join(f"sales,{AT},{length},{charge}\n" for length, charge in ((50, "2.1"), (80, "2")))
    assert judged("tag,time,src_duration,src_charge\n" + rows) == {"price-differs": 2}


class TestAFactor:
    def statement(self, *charges: str) -> str:
        rows = (f"sales,{place},2026-10-15 12:00:00,60,{charge}\n" for place, charge in enumerate(charges))
        return "tag,src,time,src_duration,cost\n" + "".join(rows)

    @pytest.fixture(autouse=True)
    def recorded(self, store: str) -> None:
        heard(store, *[times.parse(AT)] * 4)

    @pytest.mark.parametrize(
        ("charges", "told"),
        [
            (["0.035"] * 4, "0.01 times ours: is it in another unit? --scale 100 makes"),
            (["0.0347", "0.035", "0.0353", "0.035"], "0.01 times ours"),
            (["4.2"] * 4, "1.2 times ours"),
        ],
    )
    def test_between_all_charges_is_told(self, charges: list[str], told: str) -> None:
        assert f"all charges of the statement are {told}" in reconciled(self.statement(*charges)).err

    @pytest.mark.parametrize("charges", [["3.5"] * 4, ["0.035"] * 3 + ["3.5"], ["0.035"] * 3 + ["0"], ["0.035"] * 2])
    def test_is_not_told_where_there_is_none(self, charges: list[str]) -> None:
        assert "times ours" not in reconciled(self.statement(*charges)).err


@pytest.fixture
def moved(store: str) -> str:
    """Return a ledger with a CDR of October that moved to another call after October was closed: it is billed in November."""
    run("import", "-", stdin=line(signed(callstatus()), AT) + line(signed(priced_cdr()), AT))
    with opened(store) as ledger, ledger.operator_session("kim", "over") as session:
        session.close_month("2026-10")
    (row,) = run("export", "cdrs", "--format", "json").json()
    assert run("call", "split", row["call_id"], "2", "--by", "kim", "--reason", "two calls").code == DONE
    return store


class TestACdrThatMovedAfterItsMonthWasClosed:
    def test_is_one_record_within_limits(self, moved: str) -> None:
        text = "tag,time,cost\nsales,2026-10-15 12:00:00,3.5\n"
        for limits in (("--from", "2026-10-01", "--to", "2026-11-01"), ("--from", "2026-10"), ()):
            assert judged(text, "--store", moved, *limits) == EXACT

    @pytest.mark.parametrize(
        ("day", "periods"),
        [
            ("2026-11-01", ["2026-11"]),
            ("2026-11-01..2026-11-02", ["2026-11"]),
            ("2026-10-31..2026-11-01", ["2026-11"]),
            ("2026-11-02", []),
            ("2026-10-15", ["2026-10"]),
            ("2026-10-15..2026-11-01", ["2026-10", "2026-11"]),
        ],
    )
    def test_is_found_by_the_first_of_the_month_in_which_it_is_billed(
        self, day: str, periods: list[str], moved: str
    ) -> None:
        with opened(moved) as ledger, closing(open_current(ledger)) as models:
            catch_up(ledger, models)
            wanted = build_selection("cdrs", day=day, timezone="UTC")
            with open_row_stream(ledger, models, "cdrs", wanted) as rows:
                place = rows.column_names.index("period")
                assert [row[place] for chunk in rows.chunks() for row in chunk] == periods
