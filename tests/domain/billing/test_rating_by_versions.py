"""A rule that has not begun leaves the price to the version of the tariff before (SPEC 9.8)."""

from domain.billing.billing_context import BillingContext
from domain.billing.rating import PublishedTariff, RatedCdr
from domain.billing.tariff import parse_tariff
from domain.notices.call_notice import Charges
from domain.notices.line_number import LINE_RULE_2
from domain.times import parse

ALWAYS = '[[rules]]\ntag = "*"\nper_minute = 15\n'
FROM_NOVEMBER = """
[[rules]]
tag = "acme"
per_minute = 1
[[rules]]
tag = "*"
effective_from = 2026-11-01
per_minute = 16
"""
FOR_ACME = '[[rules]]\ntag = "acme"\nper_minute = 2\n'
OCTOBER, NOVEMBER = "2026-10-05T12:00:00Z", "2026-11-05T12:00:00Z"
MINUTE = Charges(None, 60, None, 10_000_000, None, None)
CENT = 1_000_000


def books(*texts: str, earlier: int = 0) -> BillingContext:
    """Versions published one after another; the first so many in shape 1."""
    parsed = [parse_tariff(text, number, timezone="UTC", line_rule=LINE_RULE_2) for number, text in enumerate(texts, 1)]
    return BillingContext(
        "UTC", LINE_RULE_2, [PublishedTariff(each.version, each, falls_back=each.version > earlier) for each in parsed]
    )


def rated(found: BillingContext, tag: str, at: str = OCTOBER, rerated: int = 0, src: str = "1") -> RatedCdr:
    return found.rate_cdr((tag, src), 100, parse(at), MINUTE, rerated)


def test_the_version_before_prices_a_call_whose_rule_has_not_begun() -> None:
    found = rated(books(ALWAYS, FROM_NOVEMBER, earlier=1), "x")
    assert (found.price, found.tariff, found.rule) == (15 * CENT, "1", 1)


def test_from_its_beginning_on_the_rule_decides() -> None:
    found = rated(books(ALWAYS, FROM_NOVEMBER), "x", NOVEMBER)
    assert (found.price, found.tariff, found.rule) == (16 * CENT, "2", 2)


def test_a_rule_that_fits_and_has_begun_decides_before_one_that_has_not() -> None:
    assert rated(books(ALWAYS, FROM_NOVEMBER), "acme").price == CENT


def test_a_later_rule_of_the_version_that_fits_decides_before_the_version_before() -> None:
    text = '[[rules]]\ntag = "x"\neffective_from = 2026-11-01\nfixed = 1\n[[rules]]\ntag = "*"\nper_minute = 9\n'
    assert rated(books(ALWAYS, text), "x").price == 9 * CENT


def test_a_call_that_no_rule_fits_at_any_time_is_at_cost() -> None:
    found = rated(books(ALWAYS, FOR_ACME), "x")
    assert (found.price, found.tariff, found.account) == (10 * CENT, "", "x")


def test_a_rule_of_another_number_leaves_nothing_to_the_version_before() -> None:
    text = f'{FOR_ACME}[[rules]]\ntag = "*"\nsrc_prefix = "49"\neffective_from = 2026-11-01\nper_minute = 9\n'
    assert rated(books(ALWAYS, text), "x").tariff == ""
    assert rated(books(ALWAYS, text), "x", src="+49 30 1").price == 15 * CENT


def test_the_search_for_a_version_goes_back_as_far_as_rules_have_not_begun() -> None:
    assert rated(books(ALWAYS, FROM_NOVEMBER, FROM_NOVEMBER), "x").tariff == "1"


def test_a_version_of_shape_1_decides_finally() -> None:
    found = rated(books(ALWAYS, FROM_NOVEMBER, FROM_NOVEMBER, earlier=2), "x")
    assert (found.price, found.tariff) == (10 * CENT, "")


def test_a_version_that_was_published_in_shape_1_prices_as_it_did() -> None:
    found = rated(books(ALWAYS, FROM_NOVEMBER, earlier=2), "x")
    assert (found.price, found.tariff) == (10 * CENT, "")


def test_a_rerating_is_priced_by_the_version_before_as_well() -> None:
    assert rated(books(ALWAYS, FROM_NOVEMBER, FOR_ACME), "x", rerated=2).price == 15 * CENT


def test_where_none_prices_it_is_cost_in_the_time_zone_of_the_version_first_asked() -> None:
    found = books(f'timezone = "Asia/Tokyo"\n{FOR_ACME}', f'timezone = "Europe/Berlin"\n{FROM_NOVEMBER}')
    assert rated(found, "x") == RatedCdr("x", "Europe/Berlin", "", 0, 60, 10 * CENT, 0, "")
