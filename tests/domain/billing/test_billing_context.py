"""What a call is billed by at each position of the log: the version that is asked, and the month that is open."""

from typing import Literal

import msgspec
import pytest

from domain.billing.billing_context import NOTHING_CLOSED, BillingContext, Closing, from_streams
from domain.billing.rating import PublishedTariff
from domain.billing.tariff import Tariff, parse_tariff
from domain.events.log_row import LogRow
from domain.events.operator_events import TariffPublished
from domain.events.streams import TARIFFS
from domain.notices.call_notice import NO_CHARGES
from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2
from domain.times import parse
from tests.support.ledgers import opened

AT = parse("2026-10-15T12:00:00Z")
CALL = ("acme", "18585550001")
CHARGES = NO_CHARGES._replace(dest_seconds=60, dest_charge=5)
CLOSINGS = [Closing(10, "2026-08"), Closing(20, "2026-09")]


def version(number: int, per_minute: int, begins: str = "") -> PublishedTariff:
    text = f'{begins}[[rules]]\ntag = "*"\nper_minute = {per_minute}\n'
    return PublishedTariff(
        number * 10, parse_tariff(text, number, timezone="UTC", line_rule=LINE_RULE_2), falls_back=True
    )


CONTEXT = BillingContext("Europe/Berlin", LINE_RULE_2, [version(1, 15), version(2, 16)], CLOSINGS)


@pytest.mark.parametrize(("position", "price"), [(10, 5), (11, 15_000_000), (20, 15_000_000), (21, 16_000_000)])
def test_a_cdr_is_priced_by_the_version_published_last_before_it(position: int, price: int) -> None:
    assert CONTEXT.rate_cdr(CALL, position, AT, CHARGES).price == price


@pytest.mark.parametrize(("rerated", "number"), [(1, 1), (2, 2), (3, None)])
def test_a_rerating_asks_its_own_version_whenever_that_was_published(rerated: int, number: int | None) -> None:
    found = CONTEXT.tariff_for(1, AT, rerated)
    assert (found and found.version) == number
    assert CONTEXT.rate_cdr(CALL, 1, AT, CHARGES, rerated).tariff == (str(number) if number else "")


def test_without_a_rerating_the_version_in_effect_is_asked() -> None:
    assert CONTEXT.tariff_for(1, AT) is None
    assert CONTEXT.tariff_for(15, AT) == CONTEXT.tariff_version(1)
    assert BillingContext("UTC", LINE_RULE_2).tariff_for(15, AT, 1) is None
    later = BillingContext("UTC", LINE_RULE_2, [version(1, 15), version(2, 16, "effective_from = 2026-10-16\n")])
    assert later.tariff_for(30, AT) == later.tariff_version(1)
    assert later.tariff_version(0) is None


@pytest.mark.parametrize(
    ("position", "closed"),
    [(1, NOTHING_CLOSED), (10, NOTHING_CLOSED), (11, "2026-08"), (20, "2026-08"), (21, "2026-09")],
)
def test_a_closing_counts_from_the_next_position_on(position: int, closed: str) -> None:
    assert CONTEXT.closed_through(position) == closed


@pytest.mark.parametrize(
    ("period", "position", "posted"),
    [
        ("2026-08", 10, "2026-08"),
        ("2026-08", 11, "2026-09"),
        ("2026-07", 11, "2026-09"),
        ("2026-09", 11, "2026-09"),
        ("2026-08", 21, "2026-10"),
        ("2026-10", 21, "2026-10"),
        ("2026-12", 21, "2026-12"),
    ],
)
def test_what_belongs_to_a_closed_month_is_posted_to_the_first_open_one(
    period: str, position: int, posted: str
) -> None:
    assert CONTEXT.open_period(period, position) == posted


def test_more_comes_at_the_end_and_leaves_the_context_before_as_it_was() -> None:
    more = CONTEXT.with_more([version(3, 17)], [Closing(30, "2026-10")])
    assert (more.timezone, more.closed_through(31), more.closed_through(21)) == ("Europe/Berlin", "2026-10", "2026-09")
    assert [more.rate_cdr(CALL, position, AT, CHARGES).tariff for position in (11, 21, 31)] == ["1", "2", "3"]
    assert (len(CONTEXT.tariffs), CONTEXT.closed_through(31)) == (2, "2026-09")


def test_the_context_is_read_from_the_streams_of_the_ledger(store_url: str) -> None:
    text = '[[rules]]\ntag = "*"\nper_minute = 15\n'
    with opened(store_url, clock=lambda: AT) as ledger:
        with ledger.operator_session("ann", "prices") as session:
            session.publish_tariff(text)
            session.close_month("2026-08")
            session.publish_tariff(text.replace("15", "16"))
        found = ledger.billing_context()
        before = ledger.billing_context(2)
    assert [(each.position, each.tariff.version, each.falls_back) for each in found.tariffs] == [
        (1, 1, True),
        (3, 2, True),
    ]
    assert found.tariffs[1].tariff == tariff_of(text.replace("15", "16"), 2)
    assert (found.closings, found.timezone) == ([Closing(2, "2026-08")], "UTC")
    assert (len(before.tariffs), before.closings) == (1, found.closings)


def tariff_of(text: str, number: int) -> Tariff:
    return parse_tariff(text, number, timezone="UTC", line_rule=LINE_RULE_2)


@pytest.mark.parametrize(("shape", "falls_back"), [(1, False), (2, True)])
def test_a_version_of_shape_1_decides_finally(shape: Literal[1, 2], *, falls_back: bool) -> None:
    event = TariffPublished(
        version=3, text='[[rules]]\ntag = "*"\n', v=shape, recorded_at=AT, by="ann", reason="prices"
    )
    row = LogRow(7, TARIFFS.hex, 3, TariffPublished.TOPIC, msgspec.json.encode(event))
    (found,) = from_streams("Asia/Tokyo", LINE_RULE_2, [row], []).tariffs
    assert (found.position, found.falls_back, found.tariff.timezone) == (7, falls_back, "Asia/Tokyo")


@pytest.mark.parametrize("rule", [LINE_RULE_1, LINE_RULE_2])
def test_the_line_rule_is_kept_by_the_context_and_all_that_comes_of_it(rule: int) -> None:
    assert BillingContext("UTC", rule).line_rule == rule
    assert BillingContext("UTC", rule).with_more().line_rule == rule
    assert from_streams("UTC", rule, [], []).line_rule == rule


@pytest.mark.parametrize(
    ("rule", "prefix", "src", "price"),
    [
        (LINE_RULE_1, "gtalk:jo.ann", "gtalk:joann@x", 15),
        (LINE_RULE_1, "gtalk:jo.ann", "gtalk:jo.ann@x", 15),
        (LINE_RULE_1, "gtalk:joann", "gtalk:jo.ann@x", 15),
        (LINE_RULE_2, "gtalk:jo.ann", "gtalk:jo.ann@x", 15),
        (LINE_RULE_2, "gtalk:jo.ann", "gtalk:joann@x", 5),
        (LINE_RULE_2, "+1 858", "1-858-555", 15),
    ],
)
def test_a_prefix_fits_a_number_by_the_line_rule_in_this_version_and_in_the_one_before(
    rule: int, prefix: str, src: str, price: int
) -> None:
    first = f'[[rules]]\ntag = "*"\nsrc_prefix = "{prefix}"\nper_minute = 15\n'
    later = f'[[rules]]\ntag = "*"\nsrc_prefix = "{prefix}"\neffective_from = 2026-11-01\nper_minute = 16\n'
    versions = [
        PublishedTariff(number, parse_tariff(text, number, timezone="UTC", line_rule=rule), falls_back=True)
        for number, text in enumerate((first, later), 1)
    ]
    for published in (versions[:1], versions):
        found = BillingContext("UTC", rule, published).rate_cdr(("acme", src), 9, AT, CHARGES)
        assert found.price == (price * 1_000_000 if price != 5 else 5)
