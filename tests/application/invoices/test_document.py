"""The customer's document: its lines sum to its total in dollars and in exact cents, and it says nothing that is internal."""

import csv
from decimal import Decimal
from importlib.resources import files
from io import StringIO
from typing import Any

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from api.application.invoices import document as documents
from api.application.invoices.customer_sheet import customer_sheet, visible
from api.application.invoices.document import Issue, PartyVersion, encode_document, make_document, statement_lines
from api.application.invoices.dollars import dollars, whole_cents
from api.application.invoices.oddities import find_oddities, months_before
from api.application.invoices.rendering import RenderTask, render
from domain.operators.statement_numbering import KnownNumbers
from projections.queries.customer_lines import CustomerLine, CustomerMonth
from projections.rows.entry import ADJUSTMENT, CDR, DIFFERENCE
from tests.support.effort import examples

CENT = 1_000_000
NOBODY = PartyVersion()


def document_of(*lines: CustomerLine, exact: int | None = None, account: str = "acme") -> dict[str, Any]:
    owed = sum(line.price for line in lines) if exact is None else exact
    month = CustomerMonth(account, "2026-10", list(lines), owed)
    return make_document(month, statement_lines(month, []), Issue(state="draft"), NOBODY)


def day_of_calls(day: int, price: int) -> CustomerLine:
    return CustomerLine(CDR, f"2026-10-{day:02}", "", "", 1, 60, 0, price)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0.00"),
        (499_999, "0.00"),
        (500_000, "0.01"),
        (-500_000, "-0.01"),
        (-499_999, "0.00"),
        (123_450_000, "1.23"),
        (10**14, "1000000.00"),
    ],
)
def test_an_amount_is_rounded_to_a_cent_half_away_from_zero(amount: int, shown: str) -> None:
    assert dollars(whole_cents(amount)) == shown


def test_three_days_of_little_print_as_nothing_and_the_line_of_rounding_has_the_rest() -> None:
    found = document_of(*(day_of_calls(day, 400_000) for day in (1, 2, 3)))
    assert [(line["kind"], line["cents"], line["amount"]) for line in found["lines"]] == [
        *[("calls", "0.4", "0.00")] * 3,
        ("rounding", "-0.2", "0.01"),
    ]
    assert (found["exact_cents"], found["due"]) == ("1.2", "0.01")


@given(st.lists(st.integers(-(10**9), 10**10), max_size=12), st.integers(-CENT, CENT))
@examples(60)
def test_lines_sum_to_the_amount_due_in_dollars_and_in_exact_cents(prices: list[int], rounded: int) -> None:
    lines = [day_of_calls(day, price) for day, price in enumerate(prices, 1)]
    found = document_of(*lines, exact=sum(prices) + rounded)
    due = Decimal(found["due"])
    assert sum((Decimal(line["amount"]) for line in found["lines"]), Decimal()) == due
    assert sum((Decimal(line["cents"]) for line in found["lines"]), Decimal()) == due * 100
    assert abs(due * 100 - Decimal(found["exact_cents"])) <= Decimal("0.5")


def test_the_rows_of_a_csv_sum_to_its_last_one() -> None:
    text = render(RenderTask(encode_document(document_of(*(day_of_calls(day, -400_000) for day in (1, 2, 3)))), "csv"))
    *lines, due = csv.DictReader(StringIO(text.decode()))
    assert (due["kind"], due["cents"], due["amount"]) == ("due", "-1", "-0.01")
    for column in ("cents", "amount"):
        assert sum((Decimal(line[column]) for line in lines), Decimal()) == Decimal(due[column])


def test_it_has_no_cost_no_margin_and_no_reason_of_an_operator() -> None:
    found = document_of(
        day_of_calls(1, 5 * CENT),
        CustomerLine(ADJUSTMENT, "2026-10-02", "", "", 0, 0, 0, -CENT),
        CustomerLine(DIFFERENCE, "", "2026-09", "", 0, 0, 0, CENT),
    )
    assert {"cost", "margin", "reason"} & {*found, *found["lines"][0]} == set()
    sheet = customer_sheet(found, None, "en", cents=False)
    assert [row.about.text for row in sheet.rows] == ["Calls", "Adjustment", "Changes to September 2026"]


def test_credits_have_a_column_only_if_some_have_a_price() -> None:
    plain, priced = (
        document_of(CustomerLine(CDR, "2026-10-01", "", "", 1, 60, credits_, CENT)) for credits_ in (0, 2 * CENT)
    )
    assert "SIP credits" not in customer_sheet(plain, None, "en", cents=False).headings
    assert customer_sheet(priced, None, "en", cents=True).rows[0].numbers == ["1", "60", "2", "1", "0.01"]


def test_german_has_its_words_days_and_amounts() -> None:
    sheet = customer_sheet(document_of(day_of_calls(1, 123_456_500_000)), None, "de", cents=True)
    assert (sheet.title, sheet.rows[0].day, sheet.rows[0].numbers) == (
        "Abrechnung",
        "01.10.2026",
        ["1", "60", "123.456,5", "1.234,57"],
    )


def test_every_word_has_its_translation() -> None:
    with files("api.application.invoices").joinpath("catalogue/de.po").open("rb") as file:
        catalogue = read_po(file, locale="de")
    assert all(message.string for message in catalogue if message.id)


def test_codes_and_amounts_are_never_broken_and_markup_in_them_is_text() -> None:
    long = "a-" * 100
    found = document_of(day_of_calls(1, CENT), account=long)
    page = render(RenderTask(encode_document(found), "html")).decode()
    assert f'<dd class="code" style="font-size: 0.24em">{long}</dd>' in page
    assert ".code, .number { white-space: nowrap; }" in page
    evil = render(RenderTask(encode_document(document_of(day_of_calls(1, CENT), account="<b>")), "html")).decode()
    assert "<b>" not in evil


def test_letters_that_turn_the_reading_order_are_written_out_and_those_of_scripts_stay() -> None:
    assert customer_sheet(document_of(day_of_calls(1, CENT), account="abc\u202e321"), None, "en", cents=False).facts[
        -1
    ] == (
        "Account",
        "abcU+202E321",
    )
    assert [visible(text) for text in ("مرحبا-٣", "客户", "\U0001f600", "क्\u200dष", "a\nb")] == [
        *("مرحبا-٣", "客户", "\U0001f600", "क्\u200dष"),
        "aU+000Ab",
    ]


def test_what_is_odd_is_told_by_account() -> None:
    months = [CustomerMonth(name, "2026-10", [], exact) for name, exact in (("a", 31), ("b", 30), ("c", -1))]
    usual = {"a": [10, 10], "b": [10], "c": [10]}
    found = {(each.kind, each.account) for each in find_oddities(months, NOBODY, KnownNumbers(), usual)}
    everybody = {(kind, name) for kind in ("no-party-data", "first-bill") for name in "abc"}
    assert found == {*everybody, ("unusual", "a"), ("negative-due", "c")}
    assert months_before("2026-02") == ["2026-01", "2025-12", "2025-11"]


def test_the_form_never_changes_under_its_name() -> None:
    assert documents.FORM == "statement/1"
    assert list(document_of(day_of_calls(1, CENT))) == [
        "form",
        "kind",
        "state",
        "number",
        "corrects",
        "original_period",
        "account",
        "period",
        "issued_at",
        "due_by",
        "party",
        "language",
        "sender",
        "customer",
        "terms",
        "currency",
        "lines",
        "exact_cents",
        "due",
        "nonce",
    ]
    assert list(document_of(day_of_calls(1, CENT))["lines"][0]) == (
        [
            "kind",
            "day",
            "original_period",
            "text",
            "number",
            "corrects",
            "calls",
            "billed_seconds",
            "sip_credits",
            "cents",
            "amount",
        ]
    )
