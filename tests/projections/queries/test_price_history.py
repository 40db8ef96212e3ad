"""Explanations: the steps lead to the price that is billed, and all that was posted adds up to what the books have."""

import tempfile
from contextlib import closing
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given

from api.application.price_explanation import explanation_document, explanation_lines, format_cents
from domain.amounts import ONE
from domain.billing import rating
from domain.billing.rating import price_steps, rate_cdr
from domain.billing.rounding import STATEMENT
from domain.billing.tariff import parse_tariff
from domain.events.log_row import POSITION_MAX
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.notices.call_notice import Charges
from domain.notices.line_number import LINE_RULE_2
from projections.building.catch_up import catch_up
from projections.queries.price_history import PriceHistory, price_history
from projections.schema.tables import CDRS, POSTINGS
from projections.stores.generations import open_current
from tests.support import random_tariffs as tariffs
from tests.support.effort import examples
from tests.support.ledger_histories import Step, live, lives
from tests.support.ledgers import opened, record, tables
from tests.support.notices import SRC, TAG, callstatus, cdr

ALL_STEPS = {rating.LEG, rating.MINUTES, rating.FEE, rating.COST, rating.MARKUP, rating.FIXED, rating.GREATER}
ALL_STEPS |= {rating.CREDITS, rating.MINIMUM, rating.MAXIMUM}


@given(rule=tariffs.rules(), charges=tariffs.charges())
def test_the_last_step_is_the_price_before_it_was_rounded(rule: tariffs.Rule, charges: Charges) -> None:
    tariff = parse_tariff(tariffs.text(rule), 1, timezone="UTC", line_rule=LINE_RULE_2)
    rated = rate_cdr(tariff, TAG, SRC, 0, charges)
    *_, last = price_steps(tariff, rated.rule, 0, charges)
    exact = Fraction(rated.price - rated.rounding, ONE)
    assert abs(last.price - exact) <= Fraction(1, 2 * ONE)
    found = tariff.rules[0].rounding
    if found[2] != STATEMENT:
        assert abs(last.price - Fraction(rated.price, ONE)) <= Fraction(1, 10 ** found[1])


@pytest.mark.parametrize(("amount", "shown"), [("0.36", "0.36"), ("0", "0"), ("100", "100"), ("-1/8", "-0.125")])
def test_an_amount_is_shown_to_its_last_digit(amount: str, shown: str) -> None:
    assert format_cents(Fraction(amount)) == shown


@pytest.mark.parametrize(("amount", "shown"), [("1/600", "0.001666666666…"), ("-20/3", "-6.666666666666…")])
def test_an_amount_without_an_end_is_cut_and_says_so(amount: str, shown: str) -> None:
    assert format_cents(Fraction(amount)) == shown


def test_a_version_that_leaves_the_price_to_the_one_before_is_named() -> None:
    later = '[[rules]]\ntag = "acme"\n[[rules]]\ntag = "*"\neffective_from = 2026-11-01\nper_minute = 16\n'
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        with ledger.operator_session("ann", "prices") as session:
            session.publish_tariff('[[rules]]\ntag = "*"\nper_minute = 15\n')
            session.publish_tariff(later)
        record(ledger, cdr(0, destduration="60"))
        found = price_history(ledger, UUID(ledger.store.page(2, 1, 3)[0].stream), POSITION_MAX)
    assert found
    assert [line[:2] for line in explanation_lines(found.pricings[-1])][:4] == [
        ("skipped", "rule 1 of version 2: its tag does not fit"),
        ("skipped", "rule 2 of version 2: not in effect yet at the CDR's time"),
        (
            "tariff",
            "version 1, published at position 1: version 2 leaves the price to it until its own rule is in effect",
        ),
        ("rule", "rule 1, at line 1: the first that fits"),
    ]


def explained(tariff: str, **numbers: str) -> PriceHistory:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        with ledger.operator_session("ann", "the first") as session:
            session.publish_tariff(tariff)
        record(ledger, cdr(0, **numbers))
        found = price_history(ledger, UUID(ledger.store.page(1, 1, 2)[0].stream), POSITION_MAX)
        assert found
        return found


@pytest.mark.parametrize(
    ("seconds", "increment", "per_minute", "counted", "price"),
    [
        (32, "30/6", "0.6", 36, "0.36"),
        (57, "30/6", "0.6", 60, "0.6"),
        (75, "30/6", "0.6", 78, "0.78"),
        (91, "90/60", "1", 150, "2.5"),
        (151, "90/60", "1", 210, "3.5"),
        (1, "1/1", "0.1", 1, "0.001667"),
    ],
)
def test_seconds_become_billed_seconds_and_these_a_price(
    seconds: int, increment: str, per_minute: str, counted: int, price: str
) -> None:
    tariff = f'[[rules]]\ntag = "*"\nper_minute = {per_minute}\nincrement = "{increment}"\n'
    found = explained(tariff, destduration=str(seconds))
    said = [line[1:] for line in explanation_lines(found.pricings[-1])]
    assert (f"destination leg: {seconds} s, counted {increment}, make {counted} s", "0") in said
    assert (f"to account {TAG}, {counted} s", price) in said
    assert found.rules == {(1, 1): tariff.strip()}


def test_all_kinds_of_steps_are_told_in_the_order_in_which_they_are_taken() -> None:
    rule = {"tag": "*", "per_minute": 6, "connection_fee": 1, "greater": True, "markup_percent": 20, "fixed": 2}
    rule |= {"sip_credit_price": 3, "minimum": 30, "maximum": 40, "leg": "both"}
    numbers = {"srcduration": "60", "destduration": "30", "srccharge": "5", "destcharge": "5", "destsipcharge": "2"}
    (pricing,) = explained(tariffs.text(rule), **numbers).pricings
    assert [(step.kind, step.price) for step in pricing.steps] == [
        ("leg", 0),
        ("leg", 0),
        ("minutes", 9),
        ("fee", 10),
        ("cost", 10),
        ("markup", 12),
        ("fixed", 14),
        ("greater", 14),
        ("credits", 20),
        ("minimum", 30),
        ("maximum", 30),
    ]
    assert {step.kind for step in pricing.steps} == ALL_STEPS


def test_bands_are_told_with_the_start_and_the_text_of_a_rule_has_them() -> None:
    text = (
        '[[rules]]\ntag = "*"\nsplit_at_bands = true\n[[rules.bands]]\nname = "early"\nhours = "00:00-11:59"\nfirst_minute = 12\n'
        'per_minute = 6\n[[rules.bands]]\nname = "late"\nhours = "11:59-24:00"\nper_minute = 3\n\n[[rules]]\ntag = "other"\n'
    )
    found = explained(text, destduration="100")
    (pricing,) = found.pricings
    assert [tuple(line) for line in explanation_lines(pricing)][2:-2] == [
        (
            "start",
            "2026-10-01T11:58:20.000000Z, the CDR's time less its seconds, is in band early (UTC): each second is priced by its own band",
            "0",
        ),
        ("leg", "destination leg: 100 s, counted 1/1, make 100 s", "0"),
        ("band-first-minute", "40 s in the first minute in band early at 12 cents a minute", "8"),
        ("band", "60 s in band late at 3 cents a minute", "11"),
        ("rounding", "half-even, to 6 places of a cent", "11"),
    ]
    assert found.rules == {(1, 1): text.partition("\n\n")[0]}


def test_a_notice_that_comes_late_changes_no_price_of_a_call_in_bands() -> None:
    text = '[[rules]]\ntag = "*"\n[[rules.bands]]\nname = "a"\nhours = "00:00-11:59"\nper_minute = 6\n'
    text += '[[rules.bands]]\nname = "b"\nhours = "11:59-24:00"\nper_minute = 3\n'
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        with ledger.operator_session("ann", "the first") as session:
            session.publish_tariff(text)
        record(ledger, cdr(0, destduration="100"), callstatus("SRCANSWERED", -20), callstatus("COMPLETED", -1))
        found = price_history(ledger, UUID(ledger.store.page(1, 1, 2)[0].stream), POSITION_MAX)
    assert found
    assert [each.rated and each.rated.price for each in found.pricings] == [10 * ONE] * 3


def test_what_was_passed_over_is_told_with_the_reason() -> None:
    rules = [
        {"tag": "other-*", "fixed": 1},
        {"tag": "*", "src_prefix": "49", "fixed": 2},
        {"tag": "*", "effective_from": "2999-01-01", "fixed": 3},
        {"tag": TAG, "fixed": 4},
    ]
    text = tariffs.text(*rules).replace('"2999-01-01"', "2999-01-01")
    (pricing,) = explained(text, destduration="1").pricings
    assert pricing.choice
    assert [(passed.rule, passed.why.split()[-1]) for passed in pricing.choice.passed] == [
        (1, "fit"),
        (2, "fit"),
        (3, "time"),
    ]
    assert pricing.choice.rule
    assert pricing.choice.rule.number == 4


@given(life=lives())
@examples(30)
def test_all_that_was_ever_posted_for_a_call_is_what_the_books_have(life: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        for step in life:
            live(ledger, step)
        with closing(open_current(ledger)) as store:
            catch_up(ledger, store)
        rows = tables(ledger)
        for stream in {row.stream for row in ledger.store.page(0, 10_000, ledger.head()) if is_of_call(row)}:
            check(ledger, UUID(stream), rows)


def check(ledger: Ledger, call: UUID, rows: dict[str, list[tuple[object, ...]]]) -> None:
    found = price_history(ledger, call, POSITION_MAX)
    assert found
    assert explanation_document(found)["call_id"] == str(call)
    assert all(line.step for pricing in found.pricings for line in explanation_lines(pricing))
    postings = [row for row in rows["postings"] if row[POSTINGS.columns.keys().index("call_id")] == str(call)]
    assert [tuple(posting) for pricing in found.pricings for posting in pricing.postings] == postings
    entered = [pricing for pricing in found.pricings if pricing.entered]
    names = CDRS.columns.keys()
    own = [dict(zip(names, row, strict=True)) for row in rows["cdrs"] if row[0] == str(call)]
    if own:
        last = entered[-1]
        assert last.rated
        assert last.entered == (own[0]["period"], own[0]["original_period"])
        assert (last.rated.price, last.rated.account) == (own[0]["price"], own[0]["account"])
