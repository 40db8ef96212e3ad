"""What a call costs by a tariff: the vectors of the issue, each mode and rule by hand, and an independent model for the rest."""

import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing import rounding, tariff
from domain.billing.rating import (
    PublishedTariff,
    RatedCdr,
    billed_seconds,
    price_steps,
    rate_by_versions,
    rate_cdr,
    version_in_effect,
)
from domain.notices.call_notice import NO_CHARGES, Charges
from domain.notices.line_number import LINE_RULE_2
from domain.times import parse
from tests.support import random_tariffs as tariffs
from tests.support.model import tariff as model_tariff

AT = parse("2026-10-15T12:00:00Z")


def rated(
    rule: dict[str, Any] | str, *, tag: str = "acme", src: str = "18585550001", at: int = AT, **given: int
) -> RatedCdr:
    """Rate a call with these charges by one rule, or by the text of rules."""
    text = rule if isinstance(rule, str) else tariffs.text({"tag": "*"} | rule)
    return rate_cdr(
        tariff.parse_tariff(text, 3, timezone="UTC", line_rule=LINE_RULE_2), tag, src, at, NO_CHARGES._replace(**given)
    )


@pytest.mark.parametrize(
    ("seconds", "billed", "price"),
    [(32, 36, 360_000), (57, 60, 600_000), (75, 78, 780_000), (30, 30, 300_000), (0, 0, 0)],
)
def test_at_30_6_and_six_tenths_of_a_cent_a_minute(seconds: int, billed: int, price: int) -> None:
    found = rated({"per_minute": Decimal("0.6"), "increment": "30/6"}, dest_seconds=seconds)
    assert (found.billed_seconds, found.price) == (billed, price)


@pytest.mark.parametrize(("seconds", "billed"), [(0, 0), (1, 90), (90, 90), (91, 150), (150, 150), (151, 210)])
def test_at_90_60(seconds: int, billed: int) -> None:
    assert billed_seconds(seconds, 90, 60) == billed == model_tariff.seconds_billed(seconds, "90/60")


def test_without_a_tariff_the_account_is_the_tag_and_the_price_the_cost() -> None:
    found = rate_cdr(None, "acme-1", "1", AT, Charges(10, 9, 1_500_000, None, 7, None))
    assert found == RatedCdr("acme-1", "", "", 0, 9, 1_500_000, 0, "")


def test_where_no_rule_fits_the_price_is_the_cost_and_only_the_time_zone_comes_from_the_tariff() -> None:
    text = tariffs.text({"tag": "other", "fixed": 1}, head='timezone = "Europe/Berlin"')
    assert rated(text, dest_seconds=9, dest_charge=5) == RatedCdr("acme", "Europe/Berlin", "", 0, 9, 5, 0, "")


def test_the_first_rule_that_fits_decides() -> None:
    text = tariffs.text({"tag": "b*", "fixed": 1}, {"tag": "ac*", "fixed": 2}, {"tag": "*", "fixed": 3})
    assert (rated(text, dest_seconds=1).price, rated(text, dest_seconds=1).rule) == (2_000_000, 2)
    assert rated(text, tag="zebra", dest_seconds=1).rule == 3


def test_a_glob_must_fit_the_whole_tag_and_case_counts() -> None:
    text = tariffs.text({"tag": "acme-[0-9]*"})
    assert [rated(text, tag=tag).rule for tag in ("acme-1", "acme-12 x\ny", "Acme-1", "xacme-1", "acme-")] == [
        1,
        1,
        0,
        0,
        0,
    ]


def test_a_regular_expression_tells_the_account() -> None:
    text = '[[rules]]\ntag_regex = "(?P<account>[a-z]+)-[0-9]{6}"\n'
    found = [
        (each.account, each.rule) for each in (rated(text, tag=tag) for tag in ("acme-000123", "acme-000123x", "x"))
    ]
    assert found == [("acme", 1), ("acme-000123x", 0), ("x", 0)]


def test_a_group_that_took_no_part_or_nothing_leaves_the_tag() -> None:
    text = '[[rules]]\ntag_regex = "(?:(?P<account>[a-z]*)-)?[0-9]+"\n'
    assert [rated(text, tag=tag).account for tag in ("12", "-12", "a-12")] == ["12", "-12", "a"]


def test_an_account_may_be_a_constant() -> None:
    assert rated({"account": "Acme Ltd."}).account == "Acme Ltd."


def test_a_prefix_of_the_number_narrows_a_rule_however_either_is_spelt() -> None:
    text = tariffs.text({"tag": "*", "src_prefix": "+1 (858)", "fixed": 1})
    assert [rated(text, src=src).rule for src in ("18585550001", "+1-858-555", "4985", "", "1858")] == [1, 1, 0, 0, 1]


def test_cost_plus_is_a_markup_on_both_legs_and_cents_per_connected_call() -> None:
    rule = {"markup_percent": Decimal("12.5"), "fixed": Decimal("0.1")}
    assert rated(rule, src_charge=10_000_000, dest_charge=2_000_000, dest_seconds=3).price == 13_600_000
    assert rated(rule).price == 0


@pytest.mark.parametrize("leg", ["src", "dest", "both"])
def test_an_own_price_counts_the_seconds_of_its_legs_each_by_itself(leg: str) -> None:
    found = rated({"per_minute": 60, "increment": "60/60", "leg": leg}, src_seconds=61, dest_seconds=1)
    assert found.billed_seconds == {"src": 120, "dest": 60, "both": 180}[leg]
    assert found.price == (found.billed_seconds or 0) * 1_000_000


def test_a_connection_fee_is_for_connected_calls_and_a_charge_alone_connects() -> None:
    rule = {"per_minute": 1, "connection_fee": 2}
    assert [rated(rule).price, rated(rule, dest_seconds=0, src_charge=0).price] == [0, 0]
    assert [rated(rule, src_charge=1).price, rated(rule, dest_credits=1).price] == [2_000_000, 2_000_000]


def test_the_greater_of_cost_plus_and_own_price_counts() -> None:
    rule = {"per_minute": 6, "greater": True, "markup_percent": 100}
    assert rated(rule, dest_seconds=60, dest_charge=2_000_000).price == 6_000_000
    assert rated(rule, dest_seconds=60, dest_charge=4_000_000).price == 8_000_000


def test_a_minimum_is_for_connected_calls_and_a_maximum_for_all() -> None:
    rule = {"minimum": 2, "maximum": 5}
    assert [rated(rule).price, rated(rule, dest_seconds=1).price] == [0, 2_000_000]
    assert [rated(rule, src_charge=3_000_000).price, rated(rule, src_charge=6_000_000).price] == [3_000_000, 5_000_000]


def test_sip_credits_stay_credits_until_they_have_a_price() -> None:
    text = '[[rules]]\ntag = "*"\nsip_credit_price = [{from = 2026-10-01, price = 2}, {from = 2026-11-01T00:00:00+01:00, price = 0.5}]\n'
    times = ("2026-09-30T23:59:59.999999Z", "2026-10-01T00:00:00Z", "2026-10-31T22:59:59Z", "2026-10-31T23:00:00Z")
    prices = [rated(text, at=parse(time), src_credits=1_000_000, dest_credits=500_000).price for time in times]
    assert prices == [0, 3_000_000, 3_000_000, 750_000]
    assert rated({}, src_credits=1_000_000).price == 0


@pytest.mark.parametrize(
    ("mode", "prices"),
    [
        ("up", [3, 3, 3, 3, 2]),
        ("down", [2, 2, 2, 2, 2]),
        ("half-up", [2, 3, 3, 2, 2]),
        ("half-even", [2, 2, 3, 2, 2]),
    ],
)
def test_money_is_rounded_once_to_the_places_told(mode: str, prices: list[int]) -> None:
    costs = (2_499_999, 2_500_000, 2_500_001, 2_000_001, 2_000_000)
    found = [rated({"rounding": {"mode": mode, "places": 0}}, dest_charge=cost) for cost in costs]
    assert [each.price for each in found] == [price * 1_000_000 for price in prices]
    assert [each.price - each.rounding for each in found] == list(costs)


def test_without_rounding_a_price_is_half_even_to_a_millionth() -> None:
    rule = {"markup_percent": -50, "rounding": {"mode": "none"}}
    assert [rated(rule, dest_charge=cost).price for cost in (1, 2, 3, 5, 7)] == [0, 1, 2, 2, 4]
    assert [rated({"markup_percent": -50}, dest_charge=cost).price for cost in (1, 3, 5)] == [0, 2, 2]


def test_rounding_up_starts_from_the_exact_price_not_from_its_millionths() -> None:
    found = rated(
        {"markup_percent": Decimal("0.000001"), "rounding": {"mode": "up", "places": 2}}, dest_charge=1_000_000
    )
    assert (found.price, found.rounding) == (1_010_000, 10_000)


def test_rounding_of_the_statement_leaves_the_call_alone_and_says_what_is_to_come() -> None:
    found = rated({"rounding": {"mode": "half-up", "places": 2, "level": "statement"}}, dest_charge=1_234_567)
    assert (found.price, found.rounding, found.level) == (1_234_567, 0, "half-up:2")
    assert rounding.round_total(1_235_000, found.level) == 1_240_000
    assert rounding.round_total(-1_235_000, found.level) == -1_240_000
    assert rounding.round_total(1_234_567, "") == 1_234_567


def test_rules_and_files_take_effect_at_the_start_of_a_day_in_the_tariffs_time_zone() -> None:
    head = 'timezone = "America/New_York"\neffective_from = 2026-10-01\n[accounts.acme]\ntimezone = "Asia/Tokyo"\n'
    text = head + '[[rules]]\ntag = "*"\neffective_from = 2026-10-02\nfixed = 2\n[[rules]]\ntag = "*"\nfixed = 1\n'
    times = ("2026-10-01T03:59:59Z", "2026-10-01T04:00:00Z", "2026-10-02T03:59:59Z", "2026-10-02T04:00:00Z")
    assert [rated(text, at=parse(time)).rule for time in times] == [0, 2, 2, 1]
    assert {rated(text, at=parse(time)).timezone for time in times} == {"Asia/Tokyo"}
    assert tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2).since == parse("2026-10-01T04:00:00Z")


def test_the_version_is_the_latest_one_published_before_the_cdr_and_in_effect_at_its_time() -> None:
    dates = ("2026-01-01", "2026-11-01", "2026-06-01")
    read = [
        tariff.parse_tariff(
            f'effective_from = {date}\n[[rules]]\ntag = "*"\n', version, timezone="UTC", line_rule=LINE_RULE_2
        )
        for version, date in enumerate(dates, 1)
    ]
    published = [PublishedTariff(position, each) for position, each in zip((10, 20, 30), read, strict=True)]

    def version(position: int, at: str) -> int:
        found = version_in_effect(published, position, parse(at))
        return found.version if found else 0

    assert [version(position, "2026-12-01T00:00:00Z") for position in (9, 10, 11, 20, 21, 30, 31)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
    ]
    assert [version(40, f"2026-{month}-15T00:00:00Z") for month in ("05", "06", "11")] == [1, 3, 3]
    assert [version(25, f"2026-{month}-15T00:00:00Z") for month in ("05", "06", "11")] == [1, 1, 2]
    assert version(40, "2025-12-31T23:59:59Z") == 0


@given(tariffs.rules(), tariffs.charges())
def test_any_rule_prices_any_call_as_the_model_does(rule: dict[str, Any], charges: Charges) -> None:
    read = tariff.parse_tariff(tariffs.text(rule), 7, timezone="UTC", line_rule=LINE_RULE_2)
    found = rate_cdr(read, "tag", "1", AT, charges)
    price, added = model_tariff.price(rule, charges)
    assert found.price == price
    assert found.rounding == added
    assert found.billed_seconds == model_tariff.billed_seconds(rule, charges)
    assert (found.account, found.tariff, found.rule) == (rule.get("account", "tag"), "7", 1)
    assert 0 <= found.price < 10**18  # As wide as the read models' amounts are.


@given(st.integers(0, 999_999_999), tariffs.increments)
def test_seconds_are_counted_as_the_model_counts_them(seconds: int, increment: str) -> None:
    initial, subsequent = map(int, increment.split("/"))
    assert billed_seconds(seconds, initial, subsequent) == model_tariff.seconds_billed(seconds, increment)


@given(st.integers(-(10**9), 10**9), st.sampled_from(sorted(model_tariff.MODES)), st.integers(0, 6))
def test_a_total_is_rounded_as_python_rounds_decimals(amount: int, mode: str, places: int) -> None:
    found = rounding.round_total(amount, rounding.level_key(mode, places))
    assert found == model_tariff.quantized(amount * model_tariff.MILLIONTH, places, mode) / model_tariff.MILLIONTH
    assert abs(found - amount) < rounding.rounding_step(places)
    assert found % rounding.rounding_step(places) == 0


def test_a_tariff_can_be_sent_to_another_process() -> None:
    read = tariff.parse_tariff(
        '[[rules]]\ntag_regex = "(?P<account>a+)"\nper_minute = 1.5\n', 1, timezone="UTC", line_rule=LINE_RULE_2
    )
    assert pickle.loads(pickle.dumps(read)) == read  # noqa: S301  # Our own bytes.


CHARGED = Charges(60, 90, 5_000_000, 7_000_000, None, 2_000_000)
ALL_TERMS: dict[str, Any] = {"per_minute": 6, "connection_fee": 1, "greater": True, "markup_percent": 20, "fixed": 2}
ALL_TERMS |= {"sip_credit_price": 3, "minimum": 30, "maximum": 40, "leg": "both", "increment": "60/30"}


def steps(rule: dict[str, Any], charges: Charges, *, number: int = 2) -> list[tuple[str, tuple[int, ...], Fraction]]:
    text = tariffs.text({"tag": "other", "fixed": 9}, {"tag": "*"} | rule)
    found = price_steps(tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2), number, AT, charges)
    return [(step.kind, step.factors, step.price) for step in found]


def test_each_step_has_its_factors_and_the_exact_price_after_it() -> None:
    assert steps(ALL_TERMS, CHARGED) == [
        ("leg", (0, 60, 60, 30, 60), 0),
        ("leg", (1, 90, 60, 30, 90), 0),
        ("minutes", (150, 6_000_000), 15),
        ("fee", (1_000_000,), 16),
        ("cost", (5_000_000, 7_000_000), 12),
        ("markup", (20_000_000,), Fraction("14.4")),
        ("fixed", (2_000_000,), Fraction("16.4")),
        ("greater", (), Fraction("16.4")),
        ("credits", (2_000_000, 3_000_000), Fraction("22.4")),
        ("minimum", (30_000_000,), 30),
        ("maximum", (40_000_000,), 30),
    ]


def test_an_absent_charge_and_absent_seconds_count_as_0_in_the_steps() -> None:
    assert steps({"markup_percent": 10}, NO_CHARGES) == [("cost", (0, 0), 0), ("markup", (10_000_000,), 0)]
    assert steps({"per_minute": 6, "leg": "both", "increment": "60/6"}, NO_CHARGES) == [
        ("leg", (0, 0, 60, 6, 0), 0),
        ("leg", (1, 0, 60, 6, 0), 0),
        ("minutes", (0, 6_000_000), 0),
    ]


def test_the_steps_are_those_of_the_rule_that_is_named_or_the_cost_for_none() -> None:
    assert steps({"fixed": 1}, CHARGED, number=1)[-1] == ("fixed", (9_000_000,), 21)
    cost = [("cost", (5_000_000, 7_000_000), 12)]
    assert steps({"fixed": 1}, CHARGED, number=0) == cost
    assert [tuple(step) for step in price_steps(None, 0, AT, CHARGED)] == cost
    assert [tuple(step) for step in price_steps(None, 1, AT, CHARGED)] == cost


def test_without_any_version_the_account_is_the_tag_and_the_price_the_cost() -> None:
    assert rate_by_versions([], None, ("acme", "1"), AT, CHARGED) == RatedCdr("acme", "", "", 0, 90, 12_000_000, 0, "")


def test_a_version_counts_from_the_very_moment_at_which_it_begins_and_from_the_position_after_it() -> None:
    text = tariffs.text({"tag": "*"}, head="effective_from = 2026-10-15")
    begins = parse("2026-10-15T00:00:00Z")
    published = [PublishedTariff(5, tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2))]
    assert version_in_effect(published, 6, begins) is published[0].tariff
    assert version_in_effect(published, 6, begins - 1) is None
    assert version_in_effect(published, 5, begins) is None


def test_a_rule_with_an_account_group_bills_it_and_one_without_bills_the_tag_or_its_own_account() -> None:
    assert rated('[[rules]]\ntag_regex = "(?P<account>[a-z]+)-.*"\n', tag="acme-7").account == "acme"
    assert rated('[[rules]]\ntag_regex = "([a-z]+)-.*"\n', tag="acme-7").account == "acme-7"
    assert rated('[[rules]]\ntag_regex = "(?P<account>[a-z]*)-.*"\n', tag="-7").account == "-7"
    assert rated({"account": "other"}, tag="acme-7").account == "other"


def test_a_call_that_is_rounded_by_itself_adds_nothing_to_the_rounding_of_the_total() -> None:
    by_call = rated({"per_minute": 1, "rounding": {"mode": "up", "places": 0}}, dest_seconds=61)
    assert (by_call.price, by_call.rounding, by_call.level) == (2_000_000, 983_333, "")
    by_total = rated({"per_minute": 1, "rounding": {"mode": "up", "places": 0, "level": "statement"}}, dest_seconds=61)
    assert (by_total.price, by_total.rounding, by_total.level) == (1_016_667, 0, "up:0")
