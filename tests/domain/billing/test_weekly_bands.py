"""Prices by the time of the week, and of the first minute (SPEC 9.14): by hand, as rating engines publish them, and as a slow model has them."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing.rating import PriceStep, RatedCdr, billed_seconds, price_steps, rate_cdr
from domain.billing.tariff import InvalidTariff, Tariff, parse_tariff
from domain.notices.call_notice import NO_CHARGES, Charges
from domain.notices.line_number import LINE_RULE_2
from domain.times import parse
from tests.support import random_bands
from tests.support import random_tariffs as tariffs
from tests.support.model import tariff as model
from tests.support.model.bands import Clock
from tests.support.random_bands import HOLIDAYS, PlacedCall

HEAD = f'timezone = "Europe/Berlin"\nholidays = [{", ".join(map(str, HOLIDAYS))}]'
DAY: dict[str, Any] = {"name": "day", "days": "mon-sun", "hours": "08:00-18:00", "per_minute": 6}
NIGHT: dict[str, Any] = {"name": "night", "days": "mon-sun", "hours": "00:00-08:00, 18:00-24:00", "per_minute": 3}
HOLIDAY: dict[str, Any] = {"name": "holiday", "days": "holiday", "per_minute": 1}
BANDS = {"bands": [DAY, NIGHT, HOLIDAY]}
SPLIT = BANDS | {"split_at_bands": True}
CENT = 1_000_000


def tariff(rule: dict[str, Any], head: str | None = None) -> Tariff:
    head = (HEAD if "bands" in rule else "") if head is None else head
    text = tariffs.text({"tag": "*"} | rule, head=head)
    return parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2, name="prices.toml")


def rated(rule: dict[str, Any], at: str, charges: Charges | None = None, seconds: int = 60) -> RatedCdr:
    return rate_cdr(
        tariff(rule), "acme", "1", parse(at), NO_CHARGES._replace(dest_seconds=seconds) if charges is None else charges
    )


def test_a_call_is_priced_by_the_band_of_its_start_which_is_the_cdrs_time_less_its_seconds() -> None:
    assert rated(BANDS, "2026-10-26T17:00:20Z").price == 6 * CENT
    assert rated(BANDS, "2026-10-26T17:01:00Z").price == 3 * CENT


def test_a_call_that_is_split_has_each_second_at_the_price_of_its_band() -> None:
    assert rated(SPLIT, "2026-10-26T17:00:20Z").price == 5 * CENT


def test_a_second_belongs_to_the_band_in_which_it_begins() -> None:
    assert rated(SPLIT, "2026-10-26T17:00:00.999999Z", seconds=1).price == CENT // 10
    assert rated(SPLIT, "2026-10-26T17:00:01Z", seconds=1).price == CENT // 20


def test_with_both_legs_the_start_is_that_of_the_longer_one_for_both() -> None:
    both = Charges(20, 60, None, None, None, None)
    assert rated(SPLIT | {"leg": "both"}, "2026-10-26T17:00:20Z", both).price == 7 * CENT
    assert rated(SPLIT | {"leg": "src"}, "2026-10-26T17:00:20Z", both).price == CENT


def test_billed_seconds_that_an_increment_adds_go_on_past_the_end_of_the_call() -> None:
    found = rated(SPLIT | {"increment": "60/60"}, "2026-10-26T17:00:00Z", seconds=30)
    assert (found.billed_seconds, found.price) == (60, 3 * CENT + CENT + CENT // 2)


def test_a_holiday_is_no_weekday_and_ends_at_midnight_of_the_tariffs_clock() -> None:
    assert rated(BANDS, "2026-10-24T12:00:00Z").price == CENT
    assert rated(SPLIT, "2026-10-24T22:00:30Z").price == CENT // 2 + CENT + CENT // 2


def test_an_hour_that_the_clock_shows_twice_is_in_its_band_both_times() -> None:
    late = [NIGHT | {"hours": "02:30-24:00"}, DAY | {"hours": "00:00-02:30"}, HOLIDAY]
    found = rated({"bands": late, "split_at_bands": True}, "2026-10-25T01:40:00Z", seconds=6000)
    # From 02:00 by the first clock: 30 minutes of day, 30 of night, then 02:00 to 02:30 is day once more, and 10 of night.
    assert found.price == (60 * 6 + 40 * 3) * CENT


def test_an_hour_that_is_skipped_has_no_seconds() -> None:
    free = [DAY | {"hours": "02:00-03:00"}, NIGHT | {"hours": "00:00-02:00, 03:00-24:00"}, HOLIDAY | {"per_minute": 0}]
    rule = {"bands": [*free], "split_at_bands": True}
    found = rate_cdr(
        tariff(rule, 'timezone = "Europe/Berlin"\nholidays = [2026-12-25]'), "a", "1",
        parse("2026-03-29T01:30:00Z"), NO_CHARGES._replace(dest_seconds=3600),
    )  # fmt: skip
    assert found.price == 60 * 3 * CENT


@pytest.mark.parametrize(("seconds", "price"), [(0, 0), (30, "4.5"), (60, 9), (90, 12)])
def test_the_first_minute_has_a_price_of_its_own(seconds: int, price: str) -> None:
    assert rated({"per_minute": 6, "first_minute": 9}, "2026-10-26T12:00:00Z", seconds=seconds).price == int(
        Decimal(price) * CENT
    )


def test_an_initial_increment_of_60_bills_the_first_minute_whole() -> None:
    rule = {"per_minute": 6, "first_minute": 9, "increment": "60/6"}
    assert [rated(rule, "2026-10-26T12:00:00Z", seconds=seconds).price for seconds in (1, 61)] == [9 * CENT, 9_600_000]


def test_each_leg_that_is_billed_has_a_first_minute() -> None:
    both = Charges(60, 120, None, None, None, None)
    rule = {"per_minute": 6, "first_minute": 9, "leg": "both"}
    assert rated(rule, "2026-10-26T12:00:00Z", both).price == (9 + 9 + 6) * CENT


# What rating engines publish: the numbers, in the keys of a tariff file. An amount of theirs is a cent here.
# CGRateS (engine/calldesc_test.go): weekdays 1 a second and 1 for the connection, from 18:00 and on weekends 0.5 a second.
EVENING = [
    {"name": "workday", "days": "mon-fri", "hours": "00:00-18:00", "per_minute": 60},
    {"name": "evening", "days": "mon-fri", "hours": "18:00-24:00", "per_minute": 30},
    {"name": "weekend", "days": "sat-sun", "per_minute": 30},
]


@pytest.mark.parametrize(
    ("begin", "end", "fee", "price"),
    [
        ("2012-02-02T17:30:00Z", "2012-02-02T18:30:00Z", 1, 2701),
        ("2012-02-02T17:30:00Z", "2012-02-02T18:30:00Z", 0, 2700),
        ("2012-02-07T23:50:00Z", "2012-02-08T00:30:00Z", 0, 2100),
        ("2012-02-08T23:50:00Z", "2012-02-08T23:50:30Z", 0, 15),
        ("2012-02-08T22:50:00Z", "2012-02-08T23:50:21Z", 0, "1810.5"),
        ("2012-02-08T22:50:00Z", "2012-02-08T22:51:50Z", 0, 55),
    ],
)
def test_calls_across_bands_cost_what_cgrates_publishes(begin: str, end: str, fee: int, price: str) -> None:
    read = tariff({"bands": EVENING, "split_at_bands": True, "connection_fee": fee}, "")
    charges = NO_CHARGES._replace(dest_seconds=(parse(end) - parse(begin)) // CENT)
    assert rate_cdr(read, "a", "1", parse(end), charges).price == int(Decimal(price) * CENT)


def test_seconds_are_split_and_holidays_found_as_cgrates_publishes() -> None:
    # rates/librates_test.go: two minutes from 23:59:05 before Christmas are 55 seconds of one rate, and then of the other.
    christmas = [
        {"name": "all", "days": "mon-sun", "per_minute": 1},
        {"name": "xmas", "days": "holiday", "per_minute": 2},
    ]
    bands = tariff({"bands": christmas, "split_at_bands": True}, "holidays = [2020-12-24]").rules[0].bands
    assert bands
    assert bands.spread(parse("2020-12-23T23:59:05Z"), 0, 120) == [55, 65]
    # engine/calldesc_test.go: a call over 08:00 on a Friday has two spans, and May the first is a holiday although a Friday.
    foehn = tariff(
        {"bands": [DAY | {"hours": "08:00-24:00"}, NIGHT | {"hours": "00:00-08:00"}, HOLIDAY], "split_at_bands": True},
        "holidays = [2015-05-01]",
    ).rules[0].bands  # fmt: skip
    assert foehn
    assert foehn.spread(parse("2015-04-24T07:59:04Z"), 0, 176) == [120, 56, 0]
    assert foehn.bands[foehn.band_at(parse("2015-05-01T13:30:00Z"))].name == "holiday"


@pytest.mark.parametrize(
    ("rule", "seconds", "price"),
    [
        ({"per_minute": 60, "increment": "60/1"}, 85, 85),  # CGRateS: a whole first minute, then by the second.
        ({"per_minute": 60, "increment": "60/1"}, 132, 132),
        ({"per_minute": Decimal("0.05"), "connection_fee": Decimal("0.15")}, 24, "0.17"),
        ({"first_minute": 6, "per_minute": 3, "increment": "60/1"}, 85, "7.25"),  # A dearer first minute.
    ],
)
def test_calls_by_the_second_cost_what_rating_engines_publish(rule: dict[str, Any], seconds: int, price: str) -> None:
    assert rated(rule, "2013-10-07T14:52:12Z", seconds=seconds).price == int(Decimal(price) * CENT)


@pytest.mark.parametrize(
    ("increment", "seconds", "billed"),
    [
        ("60/60", 61, 120), ("60/60", 83, 120), ("60/10", 83, 90), ("60/1", 83, 83),  # itwissen.info
        ("30/6", 10, 30), ("30/6", 31, 36), ("6/6", 5, 6), ("6/6", 8, 12), ("6/6", 27, 30),  # Carriers' terms
        ("60/60", 5, 60), ("60/60", 50, 60), ("6/6", 126, 126), ("6/6", 15, 18), ("60/60", 186, 240),
        ("20/15", 21, 35),  # Not 30, as engines have it that round the whole.
    ],
)  # fmt: skip
def test_an_increment_counts_whole_steps_beyond_the_first(increment: str, seconds: int, billed: int) -> None:
    initial, subsequent = map(int, increment.split("/"))
    assert billed_seconds(seconds, initial, subsequent) == billed


@given(random_bands.banded_rules(), random_bands.placed_calls(), st.tuples(st.integers(0, 400), st.integers(0, 400)))
def test_any_bands_price_any_call_as_the_model_does(
    rule: dict[str, Any], call: PlacedCall, seconds: tuple[int, int]
) -> None:
    charges = NO_CHARGES._replace(src_seconds=seconds[0], dest_seconds=seconds[1])
    read = tariff(rule, HEAD.replace("Europe/Berlin", call.timezone))
    found = rate_cdr(read, "tag", "1", call.cdr_at, charges)
    expected, _ = model.price(rule, charges, Clock(call.cdr_at, call.timezone, HOLIDAYS))
    assert (found.price, found.billed_seconds) == (expected, model.billed_seconds(rule, charges))
    *_, last = price_steps(read, 1, call.cdr_at, charges)
    assert abs(last.price - Fraction(found.price, CENT)) <= Fraction(1, 2 * CENT)


def test_the_longest_call_is_split_over_all_its_days_and_as_many_seconds_are_priced() -> None:
    bands = tariff(SPLIT).rules[0].bands
    assert bands
    counts = bands.spread(parse("1970-01-01T00:00:00Z") - 999_999_999 * CENT, 0, 999_999_999)
    assert sum(counts) == 999_999_999
    assert counts[0] == pytest.approx(999_999_999 * 10 / 24, rel=1e-4)


def test_steps_name_the_start_and_the_band_of_each_price() -> None:
    charges = NO_CHARGES._replace(dest_seconds=100)
    rule = {"bands": [DAY | {"first_minute": 12}, NIGHT, HOLIDAY], "split_at_bands": True, "connection_fee": 1}
    assert price_steps(tariff(rule), 1, parse("2026-10-26T17:00:20Z"), charges) == [
        PriceStep("start", (parse("2026-10-26T16:58:40Z"), 0), Fraction(0)),
        PriceStep("leg", (1, 100, 1, 1, 100), Fraction(0)),
        PriceStep("band-first-minute", (60, 12 * CENT, 0), Fraction(12)),
        PriceStep("band", (20, 6 * CENT, 0), Fraction(14)),
        PriceStep("band", (20, 3 * CENT, 1), Fraction(15)),
        PriceStep("fee", (CENT,), Fraction(16)),
    ]


def findings(rule: dict[str, Any], head: str | None = None) -> list[str]:
    with pytest.raises(InvalidTariff) as refused:
        tariff(rule, head)
    return [str(each) for each in refused.value.findings]


def test_bands_that_overlap_or_leave_a_gap_are_refused_with_line_key_and_what_was_expected() -> None:
    text = (
        '[[rules]]\ntag = "*"\n[[rules.bands]]\nname = "day"\nhours = "08:00-18:00"\nper_minute = 2\n'
        '[[rules.bands]]\nname = "night"\nhours = "17:30-24:00"\nper_minute = 1\n'
    )
    with pytest.raises(InvalidTariff) as refused:
        parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2, name="prices.toml")
    gap, overlap = refused.value.lines
    assert overlap == (
        'prices.toml:9: rule 1: band 2: hours = "17:30-24:00": '
        "expected no overlap with band 1, day: mon 17:30-18:00 is in both"
    )
    assert gap.startswith("prices.toml:3: rule 1: bands = [{")
    assert gap.endswith("expected bands that cover the whole week: mon 00:00-08:00 has none, nor have 6 other times")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"bands": []}, "tables headed [[rules.bands]]"),
        ({"bands": [{"name": "x", "per_minute": 1}] * 101}, "at most 100 bands"),
        ({"bands": [{"per_minute": 1}]}, "a name"),
        ({"bands": [{"name": "x"}]}, "a per_minute"),
        ({"bands": [{"name": "x", "per_minute": -1}]}, "a number from 0 to 9999"),
        ({"bands": [{"name": "x", "per_minute": 1, "price": 1}]}, "one of the keys name, days, hours, per_minute"),
        ({"bands": [DAY, NIGHT | {"name": "day"}, HOLIDAY]}, "a name that no other band of the rule has"),
        ({"bands": [DAY, NIGHT]}, "bands that cover the whole week: holiday 00:00-24:00 has none"),
        ({"bands": [DAY | {"days": "fri-mon"}]}, "days such as"),
        ({"bands": [DAY | {"days": "holiday-mon"}]}, "days such as"),
        ({"bands": [DAY | {"days": "mon, mon-tue"}]}, "each day once"),
        ({"bands": [DAY | {"hours": "18:00-08:00"}]}, "hours such as"),
        ({"bands": [DAY | {"hours": "08:00-24:01"}]}, "hours such as"),
        ({"bands": [DAY | {"hours": "08:60-09:00"}]}, "hours such as"),
        ({"bands": [DAY | {"hours": "8-9"}]}, "hours such as"),
        (BANDS | {"per_minute": 1}, "none beside bands, of which each has its own"),
        (BANDS | {"first_minute": 1}, "none beside bands, of which each has its own"),
        ({"per_minute": 1, "split_at_bands": True}, "bands beside it"),
        ({"first_minute": 1}, "per_minute beside it, for all other seconds"),
        (BANDS | {"fixed": 1}, "greater = true beside it"),
    ],
)
def test_a_rule_whose_bands_cannot_be_is_refused(rule: dict[str, Any], expected: str) -> None:
    assert any(f"expected {expected}" in found for found in findings(rule))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("[]", "a list of dates"), ("2026-12-25", "a list of dates"), ("[2026-12-25T00:00:00Z]", "a list of dates"),
        ("[1969-12-31]", "a list of dates"), ("[2026-12-25, 2026-12-25]", "each date once"),
    ],
)  # fmt: skip
def test_holidays_that_cannot_be_are_refused(days: str, expected: str) -> None:
    assert any(f"expected {expected}" in found for found in findings(BANDS, f"holidays = {days}"))


def test_holidays_without_bands_and_a_holiday_without_holidays_are_refused() -> None:
    assert findings({"per_minute": 1}, HEAD)[0].endswith("expected a rule with bands beside them")
    assert any("expected holidays in the file" in found for found in findings(BANDS, ""))


def test_a_rule_with_bands_may_be_the_greater_of_both() -> None:
    charges = Charges(None, 60, None, 10 * CENT, None, None)
    assert rated(BANDS | {"greater": True, "fixed": 1}, "2026-10-26T12:00:00Z", charges).price == 11 * CENT
