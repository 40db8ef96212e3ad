"""Moments and amounts: exact on the way in and on the way out (SPEC 1, 8)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import amounts, times
from domain.amounts import is_rounded, millionths, plain
from tests.support.model import money as model_money

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_2000, YEAR_2040 = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2040))
moments = st.integers(0, (YEAR_2040 - YEAR_2000) // timedelta(microseconds=1)).map(
    lambda after: (YEAR_2000 - EPOCH) // timedelta(microseconds=1) + after
)

# Amounts


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("000.000000", 0),
        ("1", 1_000_000),
        ("01.50", 1_500_000),
        ("49.2", 49_200_000),
        ("0.000001", 1),
        ("999999999.999999", 999_999_999_999_999),
    ],
)
def test_a_decimal_is_read_as_whole_millionths(text: str, amount: int) -> None:
    assert millionths(text) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (71_000_000, "71"),
        (49_200_000, "49.2"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (-1_500_000, "-1.5"),
        (100_000_000, "100"),
        (10**24, "1000000000000000000"),
    ],
)
def test_an_amount_is_written_plainly(amount: int, text: str) -> None:
    assert plain(amount) == text


@given(st.integers(-(10**20), 10**20))
def test_any_amount_is_written_as_the_exact_decimal_without_needless_zeros(amount: int) -> None:
    text = plain(amount)
    assert Decimal(text) == Decimal(amount).scaleb(-6)
    assert text == model_money.plain(Decimal(amount).scaleb(-6)) or "." not in text


@given(st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,6})?", fullmatch=True))
def test_any_amount_of_the_wire_is_read_exactly(text: str) -> None:
    assert millionths(text) == Decimal(text).scaleb(6)
    assert not is_rounded(text)


@given(st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_any_float_of_the_wire_is_read_to_the_nearest_millionth_half_even(text: str) -> None:
    exact = Fraction(text) * 1_000_000
    assert millionths(text) == round(exact)
    assert is_rounded(text) == (exact.denominator != 1)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0.00015000", 150),
        ("1.8333333333333", 1_833_333),
        ("1.0E-5", 10),
        ("2E3", 2_000_000_000),
    ],
)
def test_a_float_is_rounded_half_even(text: str, amount: int) -> None:
    assert millionths(text) == amount


# Moments


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-10-01T04:30:25.394357Z", 1_790_829_025_394_357),
        ("2026-10-01T04:30:25.394357+00:00", 1_790_829_025_394_357),
        ("2026-10-01T06:30:25.394357+02:00", 1_790_829_025_394_357),
    ],
)
def test_a_time_with_its_offset_is_read_to_the_microsecond(text: str, at: int) -> None:
    assert times.parse(text) == at


@pytest.mark.parametrize("text", ["", "now", "2026-10-01", "2026-10-01T04:30:25", "1790829025", "2026-13-01T00:00:00Z"])
def test_a_time_without_an_offset_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time: expected ISO 8601 in UTC, such as"):
        times.parse(text)


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59.999999Z", "9999-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01"])
def test_a_time_before_1970_or_after_9998_is_refused_since_zones_may_have_no_day_for_it(text: str) -> None:
    with pytest.raises(ValueError, match="is out of range: expected a time from 1970 to 9998"):
        times.parse(text)


@given(moments)
def test_a_moment_written_and_read_is_the_same(at: int) -> None:
    assert times.iso(at) == model_money.instant(at)
    assert times.parse(times.iso(at)) == at
    assert times.to_micros(times.to_datetime(at)) == at


def test_whole_seconds_keep_their_six_decimals() -> None:
    assert times.iso(0) == "1970-01-01T00:00:00.000000Z"


def test_now_is_now() -> None:
    before = datetime.now(UTC)
    assert before <= times.to_datetime(times.now()) <= datetime.now(UTC)


# Days of the billing time zone


@given(moments, st.sampled_from(ZONES))
def test_any_moment_falls_on_the_day_that_the_zone_says(at: int, zone: str) -> None:
    assert times.day(at, zone) == model_money.day_of(at, zone)


@example("Europe/Berlin", 2026, 10, 25)
@example("Australia/Lord_Howe", 2026, 4, 5)
@example("America/St_Johns", 2010, 11, 7)
@given(st.sampled_from(ZONES), st.integers(2000, 2039), st.integers(1, 12), st.integers(1, 28))
def test_the_minutes_around_midnight_fall_on_the_day_that_the_zone_says(
    zone: str, year: int, month: int, day: int
) -> None:
    midnight = datetime(year, month, day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    for minutes in range(-65, 66, 5):
        for step in (-1, 0, 30 * times.SECOND):
            at = times.to_micros(midnight + timedelta(minutes=minutes)) + step
            assert times.day(at, zone) == model_money.day_of(at, zone)


def test_where_clocks_go_back_at_one_past_midnight_that_minute_is_the_next_days() -> None:
    assert times.day(times.parse("2010-11-07T02:29:59.999999Z"), "America/St_Johns") == "2010-11-06"
    assert times.day(times.parse("2010-11-07T02:30:30Z"), "America/St_Johns") == "2010-11-07"
    assert times.day(times.parse("2010-11-07T02:31:00Z"), "America/St_Johns") == "2010-11-06"


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999-02:00",
    ],
)
def test_a_time_is_refused_or_can_be_written_and_has_a_day_in_every_zone(text: str) -> None:
    try:
        at = times.parse(text)
    except ValueError:
        return
    assert times.parse(times.iso(at)) == at
    assert all(len(times.day(at, zone)) == 10 for zone in ZONES)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../UTC", "/etc/localtime", "Europe", "utc\0"])
def test_a_time_zone_that_is_none_is_refused_with_what_was_expected(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone: expected an IANA name"):
        times.zone(name)


@pytest.mark.parametrize(
    ("text", "millionths"),
    [
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0.0000025", 2),
        ("0.0000035", 4),
        ("0.0000045", 4),
        ("0.00000350001", 4),
        ("0.0000044999", 4),
        ("12.5E-6", 12),
        ("13.5e-6", 14),
        ("1E2", 100_000_000),
        ("1.5E+1", 15_000_000),
    ],
)
def test_half_a_millionth_is_rounded_to_the_even_one(text: str, millionths: int) -> None:
    assert amounts.millionths(text) == millionths


@pytest.mark.parametrize(
    ("text", "is_rounded"),
    [
        ("0.1234567", True),
        ("123456.1234567", True),
        ("1E-7", True),
        ("1e-7", True),
        ("15E-7", True),
        ("10E-7", False),
        ("1E-6", False),
        ("0.123456", False),
        ("123456789.123456", False),
        ("0.1234560", False),
        ("1E9", False),
        ("7", False),
    ],
)
def test_what_a_millionth_cannot_hold_is_known_to_be_rounded(text: str, *, is_rounded: bool) -> None:
    assert amounts.is_rounded(text) == is_rounded
