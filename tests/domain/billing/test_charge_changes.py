"""Which accounts a published tariff charges a fee or a minimum, and which ones it no longer charges."""

import pytest

from domain.billing.charge_changes import charge_changes
from domain.billing.monthly_prices import MonthlyPrices
from domain.billing.tariff import parse_tariff
from domain.notices.line_number import LINE_RULE_2


def changed(now: str, before: str, closed: str = "") -> list[str]:
    return [str(each) for each in charge_changes(charges(now), charges(before), closed)]


def charges(text: str) -> dict[str, MonthlyPrices]:
    rule = '[[rules]]\ntag = "*"\nmarkup_percent = 0\n'
    return parse_tariff(rule + text, 1, timezone="UTC", line_rule=LINE_RULE_2).charges


def prices(account: str, fee: str = "", minimum: str = "") -> str:
    lists = [("monthly_fee", fee), ("monthly_minimum", minimum)]
    return f"[accounts.{account}]\n" + "".join(f"{name} = [{text}]\n" for name, text in lists if text)


OCTOBER, NOVEMBER = '{ from = "2026-10", price = 500 }', '{ from = "2026-11", price = 20.5 }'


@pytest.mark.parametrize(
    ("now", "before", "closed", "said"),
    [
        (
            prices("a", OCTOBER, NOVEMBER),
            "",
            "",
            ["a, 2026-10: fee 500 US cents; the version before: nothing"],
        ),
        (
            prices("a", OCTOBER, NOVEMBER),
            prices("a", OCTOBER),
            "2026-10",
            ["a, 2026-11: fee 500, minimum 20.5 US cents; the version before: fee 500 US cents"],
        ),
        (prices("a", OCTOBER), prices("a", OCTOBER), "2026-11", ["a, 2026-12: fee 500 US cents"]),
        ("", prices("a", OCTOBER), "", ["a, 2026-10: nothing; the version before: fee 500 US cents"]),
        (prices("a", '{ from = "2026-10", price = 500 }, { from = "2026-11", price = 0 }'), "", "2026-10", []),
        ("", "", "2026-10", []),
    ],
)
def test_the_first_open_month_of_each_account_is_told(now: str, before: str, closed: str, said: list[str]) -> None:
    assert changed(now, before, closed) == said
