"""The keys of a tariff file: their names, the checks of their values, and which exclude each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.amounts import ONE
from domain.billing import band_tables, monthly_prices, tariff_values
from domain.billing import tag_patterns as tariff_patterns
from domain.billing.tariff_values import CENTS_MAX, CENTS_PER_MINUTE_MAX, MARKUP_MAX, MARKUP_MIN, Check

RULES_MAX = 1000

RULES = "rules"
ACCOUNTS = "accounts"
HOLIDAYS = "holidays"
BANDS = "bands"
SPLITS = "split_at_bands"
TIMEZONE, FEE, MINIMUM = "timezone", "monthly_fee", "monthly_minimum"
ACCOUNT_CHECKS: dict[str, Check] = {
    TIMEZONE: tariff_values.read_timezone,
    FEE: monthly_prices.read_fees,
    MINIMUM: monthly_prices.read_minimums,
}

_OWN_PRICE_KEYS = ("increment", "connection_fee", "leg")
_PER_MINUTE_KEYS = ("per_minute", "first_minute")
_COST_PLUS_KEYS = ("markup_percent", "fixed")


def file_checks(timezone: str) -> dict[str, Check]:
    """Return the checks of a file's keys outside its rules; its dates are read in ``timezone``."""
    return {
        "timezone": tariff_values.read_timezone,
        "effective_from": tariff_values.moment_reader(timezone),
        HOLIDAYS: band_tables.read_holidays,
        ACCOUNTS: _tables,
        RULES: _rules,
    }


def _tables(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
        raise ValueError("tables such as [accounts.acme]")
    return value


def _rules(value: Any) -> list[dict[str, Any]]:
    return tariff_values.read_tables(value, "rules", RULES_MAX, "rules")


def rule_checks(timezone: str, line_rule: int) -> dict[str, Check]:
    """Return the checks of a rule's keys, in the order of messages and of docs/reference/tariff-file.md."""
    cents = tariff_values.amount_reader(0, CENTS_MAX)
    return {
        "tag": tariff_values.pattern_reader(tariff_patterns.parse_glob),
        "tag_regex": tariff_values.pattern_reader(tariff_patterns.parse_regex),
        "src_prefix": tariff_values.number_prefix_reader(line_rule),
        "account": tariff_values.read_text,
        "effective_from": tariff_values.moment_reader(timezone),
        "markup_percent": tariff_values.amount_reader(MARKUP_MIN, MARKUP_MAX),
        "fixed": cents,
        "per_minute": tariff_values.amount_reader(0, CENTS_PER_MINUTE_MAX),
        "first_minute": tariff_values.amount_reader(0, CENTS_PER_MINUTE_MAX),
        BANDS: band_tables.read_tables,
        SPLITS: tariff_values.read_boolean,
        "increment": tariff_values.read_increment,
        "connection_fee": cents,
        "leg": tariff_values.read_legs,
        "greater": tariff_values.read_boolean,
        "minimum": cents,
        "maximum": cents,
        "sip_credit_price": tariff_values.credit_price_reader(timezone),
        "rounding": tariff_values.read_rounding_rule,
    }


def conflicting_keys(table: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a rule that exclude each other, and what was expected; an empty key means the whole rule.

    ``table`` is the rule as written in the file, ``found`` its valid values.
    """
    if ("tag" in table) == ("tag_regex" in table):
        yield "tag" if "tag" in table else "", "either tag or tag_regex"
    if "account" in table and "tag_regex" in found and tariff_patterns.ACCOUNT in found["tag_regex"].groupindex:
        yield "account", "no account beside a tag_regex with a group of that name"
    yield from _per_minute(table)
    yield from _prices(table, greater=found.get("greater", False))
    if found.get("minimum", 0) > found.get("maximum", CENTS_MAX * ONE):
        yield "minimum", "no more than the maximum"


def _per_minute(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if BANDS in table:
        for key in _PER_MINUTE_KEYS:
            if key in table:
                yield key, f"none beside {BANDS}, of which each has its own"
    else:
        if "first_minute" in table and "per_minute" not in table:
            yield "first_minute", "per_minute beside it, for all other seconds"
        if SPLITS in table:
            yield SPLITS, f"{BANDS} beside it"


def _prices(table: Mapping[str, Any], *, greater: bool) -> Iterator[tuple[str, str]]:
    if "per_minute" not in table and BANDS not in table:
        for key in _OWN_PRICE_KEYS:
            if key in table:
                yield key, "per_minute beside it, for it is part of an own price"
        if greater:
            yield "greater", "per_minute beside it, an own price to compare with"
    elif not greater:
        for key in _COST_PLUS_KEYS:
            if key in table:
                yield key, "greater = true beside it where a rule has both a cost-plus and an own price"
