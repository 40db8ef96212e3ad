"""Read models as DataFrames: exact types, filters with half-open borders, billing time zones."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from sqlalchemy import delete

from domain import times
from domain.errors import NoLedger
from projections import frames
from projections.frames import FrameReader
from projections.queries.conditions import build_selection, conditions
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.schema.column_kinds import exported_columns
from projections.schema.read_models import STORED_TABLES
from projections.schema.tables import BILLING
from projections.stores.generations import ReadModelsUnusable
from tests.support.effort import examples
from tests.support.export_ledgers import Case, a_ledger, a_row, notify, put

FRAMES = [
    frames.calls,
    frames.cdrs,
    frames.billing,
    frames.billing_days,
    frames.voicemails,
    frames.channels,
    frames.exceptions,
]
INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture
def case(store_url: str) -> Iterator[Case]:
    with a_ledger(store_url) as made:
        yield made


@pytest.fixture
def berlin(empty_store_url: str) -> Iterator[Case]:
    with a_ledger(empty_store_url, "Europe/Berlin") as made:
        yield made


def a_cdr(case: Case, received_at: str, tag: str = "sales", src: str = "18585550001", **params: str) -> None:
    notify(case, received_at, type="cdr", tag=tag, src=src, srcduration="60", **params)


def test_without_a_ledger_nothing_is_created(tmp_path: Path) -> None:
    with pytest.raises(NoLedger):
        frames.cdrs(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


class TestAFrame:
    @pytest.mark.parametrize("frame", FRAMES, ids=repr)
    def test_has_the_columns_of_its_export_even_without_rows(self, case: Case, frame: FrameReader) -> None:
        found = frame(case.url)
        assert list(found.columns) == [column.name for column in exported_columns(STORED_TABLES[frame.model])]
        assert len(found) == 0

    def test_has_exact_types(self, case: Case) -> None:
        put(case, "cdrs", [a_row("cdrs", 1)])
        put(case, "billing", [a_row("billing", 1)])
        cdrs, billing = frames.cdrs(case.url), frames.billing(case.url)
        assert cdrs.dtypes["src"] == pd.ArrowDtype(pa.string())
        assert cdrs.dtypes["src_duration"] == pd.ArrowDtype(pa.int64())
        assert cdrs.dtypes["margin"] == pd.ArrowDtype(pa.decimal128(18, 6))
        assert cdrs.dtypes["cdr_at"] == pd.ArrowDtype(pa.timestamp("us", tz="UTC"))
        assert billing.dtypes["cost"] == pd.ArrowDtype(pa.decimal128(38, 6))
        assert frames.calls(case.url).dtypes["has_cdr"] == pd.ArrowDtype(pa.bool_())

    def test_gives_values_as_they_are(self, case: Case) -> None:
        put(
            case,
            "cdrs",
            [
                a_row(
                    "cdrs",
                    7,
                    src="0049",
                    src_charge=None,
                    src_duration=None,
                    margin=-1,
                    cost=1_500_000,
                    answered_at=None,
                )
            ],
        )
        row = frames.cdrs(case.url, catch_up=False).iloc[0]
        assert (row["src"], row["margin"], row["cost"]) == ("0049", Decimal("-0.000001"), Decimal("1.5"))
        assert row["src_charge"] is pd.NA
        assert row["src_duration"] is pd.NA
        assert pd.isna(row["answered_at"])
        assert row["cdr_at"] == pd.Timestamp("2026-10-01T00:00:00.000007Z")

    def test_says_whether_a_call_has_its_cdr(self, case: Case) -> None:
        put(case, "calls", [a_row("calls", 1, has_cdr=1), a_row("calls", 2, has_cdr=0)])
        assert frames.calls(case.url)["has_cdr"].tolist() == [True, False]

    @examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
    @given(sums=st.lists(INT64, min_size=1, max_size=20))
    @example(sums=[2**63 - 1, -(2**63), 0, -1, 1])
    def test_gives_every_sum_exactly(self, case: Case, sums: list[int]) -> None:
        with case.store.transaction() as connection:
            connection.execute(delete(BILLING))
        put(case, "billing", [a_row("billing", n, account=f"{n:03d}", margin=value) for n, value in enumerate(sums)])
        found = frames.billing(case.url, catch_up=False)["margin"].tolist()
        assert found == [Decimal(value).scaleb(-6) for value in sums]

    def test_holds_all_chunks_in_order(self, case: Case) -> None:
        put(case, "calls", [a_row("calls", number) for number in reversed(range(25_000))])
        assert frames.calls(case.url)["position"].tolist() == list(range(25_000))

    def test_of_billing_is_in_code_point_order(self, case: Case) -> None:
        accounts = ["b", "a", "Z", "é", "😀", "\uff5e", ""]
        put(case, "billing", [a_row("billing", 1, account=account, period="2026-10") for account in accounts])
        assert frames.billing(case.url)["account"].tolist() == sorted(accounts)

    def test_of_exceptions_is_in_order_of_position_then_flag(self, case: Case) -> None:
        keys = [("b", 2), ("a", 2), ("c", 1)]
        put(case, "exceptions", [a_row("exceptions", n, flag=flag, position=n) for flag, n in keys])
        found = frames.exceptions(case.url)
        assert list(zip(found["flag"], found["position"], strict=True)) == [("c", 1), ("a", 2), ("b", 2)]


class TestCatchingUp:
    def test_comes_first(self, case: Case) -> None:
        a_cdr(case, "2026-10-01T12:00:00Z")
        assert len(frames.cdrs(case.url)) == 1

    def test_is_left_out_when_so_asked(self, case: Case) -> None:
        a_cdr(case, "2026-10-01T12:00:00Z")
        assert len(frames.cdrs(case.url, catch_up=False)) == 0

    def test_is_refused_for_read_models_ahead_of_the_log(self, case: Case) -> None:
        with case.store.transaction() as connection:
            case.store.set_position(connection, 1, "")
        with pytest.raises(ReadModelsUnusable):
            frames.cdrs(case.url, catch_up=False)


class TestFilters:
    def test_by_tag_and_account_take_the_text_whole(self, case: Case) -> None:
        for tag in ("sales", "sales2", ""):
            a_cdr(case, "2026-10-01T12:00:00Z", tag=tag)
        assert frames.cdrs(case.url, tag="sales")["tag"].tolist() == ["sales"]
        assert frames.cdrs(case.url, account="")["tag"].tolist() == [""]
        assert frames.billing(case.url, account="sales2")["account"].tolist() == ["sales2"]

    def test_all_apply_together(self, case: Case) -> None:
        for tag, month in (("a", "10"), ("a", "11"), ("b", "10")):
            a_cdr(case, f"2026-{month}-01T12:00:00Z", tag=tag)
        assert frames.cdrs(case.url, tag="a", period="2026-10")["position"].tolist() == [1]

    @pytest.mark.parametrize(
        ("since", "until", "positions"),
        [
            ("2026-10-02", None, [2, 3]),
            (None, "2026-10-02", [1]),
            ("2026-10-01T23:59:59.999999Z", "2026-10-02T00:00:00Z", [1]),
            ("2026-10-02T02:00:00+02:00", "2026-11", [2]),
            (datetime(2026, 10, 2, tzinfo=UTC), date(2026, 11, 1), [2]),
            ("2026-11", None, [3]),
            ("2026-11", "2026-11", []),
        ],
    )
    def test_in_time_are_half_open(self, case: Case, since: str, until: str, positions: list[int]) -> None:
        for at in ("2026-10-01T23:59:59.999999Z", "2026-10-02T00:00:00Z", "2026-11-01T00:00:00Z"):
            a_cdr(case, at, src=at)
        assert frames.cdrs(case.url, since=since, until=until)["position"].tolist() == positions
        assert frames.calls(case.url, since=since, until=until)["position"].tolist() == positions

    def test_of_calls_go_by_their_opening_and_of_cdrs_by_the_cdr(self, case: Case) -> None:
        notify(case, "2026-10-31T23:59:00Z", type="callstatus", status="SRCANSWERED", tag="a", src="1")
        notify(case, "2026-11-01T00:00:10Z", type="callstatus", status="COMPLETED", tag="a", src="1")
        a_cdr(case, "2026-11-01T00:00:11Z", tag="a", src="1")
        assert len(frames.calls(case.url, period="2026-10")) == 1
        assert len(frames.calls(case.url, period="2026-11")) == 0
        assert len(frames.cdrs(case.url, period="2026-10")) == 0
        assert len(frames.cdrs(case.url, period="2026-11")) == 1

    def test_of_notices_go_by_their_reception(self, case: Case) -> None:
        for at in ("2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"):
            notify(case, at, type="voicemail", email="a@b.c", voicemail=at, tag="a")
            notify(case, at, type="deletechannel", src=at, tag="a")
            notify(case, at, type="fax", tag="a", src=at)
        for frame in (frames.voicemails, frames.channels, frames.exceptions):
            assert len(frame(case.url, tag="a", period="2026-10")) == 1
            assert len(frame(case.url, since="2026-11")) == 1

    def test_of_months_and_days_begin_in_the_billing_time_zone(self, berlin: Case) -> None:
        for at in ("2026-10-31T22:59:59Z", "2026-10-31T23:00:00Z"):  # Winter time: midnight is at 23:00 UTC.
            a_cdr(berlin, at, src=at)
        for frame in (frames.calls, frames.cdrs):
            assert frame(berlin.url, period="2026-11")["position"].tolist() == [2]
            assert frame(berlin.url, since="2026-11-01")["position"].tolist() == [2]
            assert frame(berlin.url, until="2026-11")["position"].tolist() == [1]
        assert frames.billing(berlin.url, since="2026-11")["period"].tolist() == ["2026-11"]
        assert frames.billing_days(berlin.url, period="2026-10")["day"].tolist() == ["2026-10-31"]

    def test_of_billing_by_day_take_days(self, case: Case) -> None:
        for day in ("2026-09-30", "2026-10-01", "2026-10-02", "2026-11-01"):
            a_cdr(case, f"{day}T12:00:00Z", src=day)
        days = frames.billing_days(case.url, since="2026-10-01", until="2026-10-02")["day"].tolist()
        assert days == ["2026-10-01"]
        assert frames.billing_days(case.url, period="2026-10")["day"].tolist() == ["2026-10-01", "2026-10-02"]

    def test_of_a_year_run_over_its_end(self, case: Case) -> None:
        a_cdr(case, "2026-12-31T23:59:59Z")
        assert len(frames.calls(case.url, period="2026-12")) == 1


class TestRefusals:
    @pytest.mark.parametrize("period", ["2026-13", "2026-00", "2026-1", "2026", "202610", "2026-10-01", "", "9999-12"])
    def test_of_what_is_no_month_name_it(self, period: str) -> None:
        for model in ("cdrs", "calls"):
            with pytest.raises(SelectionError, match=f"^'{period}' is not a month: expected YYYY-MM"):
                build_selection(model, period=period, timezone="UTC")

    @pytest.mark.parametrize(
        "text", ["yesterday", "2026-02-30", "2026-10-01T12:00:00", "20261001", "2026-W40", "", "٢٠٢٦-10"]
    )
    def test_of_what_is_no_moment_name_it(self, text: str) -> None:
        with pytest.raises(SelectionError, match=f"^'{text}' is not a moment: expected a day"):
            build_selection("cdrs", since=text, timezone="UTC")

    def test_of_a_time_without_its_offset(self) -> None:
        with pytest.raises(SelectionError, match="is not a moment"):
            build_selection("cdrs", until=datetime(2026, 10, 1), timezone="UTC")  # noqa: DTZ001

    def test_of_an_end_before_the_beginning(self) -> None:
        with pytest.raises(SelectionError, match="the end 2026-10-01 is before the beginning 2026-10-02"):
            build_selection("cdrs", since="2026-10-02", until="2026-10-01", timezone="UTC")

    @pytest.mark.parametrize("model", ["billing", "billing-days"])
    def test_of_a_tag_where_sums_have_none(self, model: str) -> None:
        having = "calls, cdrs, voicemails, channels, exceptions"
        with pytest.raises(SelectionError, match=f"{model} cannot be filtered by tag.*{having}"):
            build_selection(model, tag="a", timezone="UTC")

    @pytest.mark.parametrize("model", ["voicemails", "channels", "exceptions"])
    def test_of_an_account_where_there_is_none(self, model: str) -> None:
        with pytest.raises(
            SelectionError,
            match=r"by account.*expected one of calls, cdrs, billing, billing-days, postings, operator-events, entries$",
        ):
            build_selection(model, account="a", timezone="UTC")

    @pytest.mark.parametrize("since", ["2026-10-02", "2026-10-01T00:00:01Z"])
    def test_of_a_cut_through_a_month_point_to_billing_by_day(self, since: str) -> None:
        with pytest.raises(SelectionError, match="expected a month such as 2026-10; billing-days"):
            build_selection("billing", since=since, timezone="UTC")

    def test_of_a_cut_through_a_day(self) -> None:
        with pytest.raises(SelectionError, match="expected a day such as 2026-10-01"):
            build_selection("billing-days", since="2026-10-01T00:00:00Z", timezone="Europe/Berlin")

    def test_of_a_read_model_that_does_not_exist(self) -> None:
        with pytest.raises(SelectionError, match="'cdr' is not a read model: expected one of calls, cdrs"):
            build_selection("cdr", timezone="UTC")

    def test_come_even_for_a_selection_made_by_hand(self) -> None:
        with pytest.raises(SelectionError, match="cannot be filtered by tag"):
            conditions("billing", Selection(tag="a"), "UTC")


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Asia/Kathmandu"]
)
def test_every_day_begins_where_the_projection_changes_its_day(zone: str) -> None:
    for month in (2, 3, 4, 10, 11):
        for day in range(1, 29):
            text = f"2017-{month:02d}-{day:02d}"
            since = build_selection("cdrs", since=text, timezone=zone).since
            assert since is not None
            assert times.day(since, zone) == text
            assert times.day(since - 1, zone) < text


@given(st.lists(st.none() | INT64, max_size=5), st.integers(0, 2))
@example([], 0)
@example([None, None], 1)
@examples(50)
def test_decimals_are_the_millionths_that_they_are_made_of(millionths: list[int | None], skipped: int) -> None:
    found = frames.decimals(pa.array(millionths, pa.int64())[skipped:])
    assert found.type == pa.decimal128(38, 6)
    found.validate(full=True)
    assert found.to_pylist() == [None if value is None else Decimal(value).scaleb(-6) for value in millionths[skipped:]]


def test_a_decimal_of_more_digits_than_its_type_has_is_refused() -> None:
    largest = 10**18 - 1
    kind = pa.decimal128(18, 6)
    found = frames.decimals(pa.array([-largest, None, largest]), kind)
    found.validate(full=True)
    assert found.to_pylist() == [Decimal("-999999999999.999999"), None, Decimal("999999999999.999999")]
    for value in (largest + 1, -largest - 1):
        with pytest.raises(pa.ArrowInvalid, match="does not fit in precision"):
            frames.decimals(pa.array([1, value]), kind)
