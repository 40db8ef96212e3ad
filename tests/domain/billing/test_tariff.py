"""Tariff files: what is refused, and that every finding names its line, key, value and what was expected."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing import tag_patterns as tariff_patterns
from domain.billing import tariff
from domain.billing.toml_lines import TomlLines
from domain.notices.line_number import LINE_RULE_2
from tests.support import random_tariffs as tariffs

RULE = '[[rules]]\ntag = "*"\n'


def findings(text: str) -> list[str]:
    """Read a tariff that is broken, and return its findings as a person sees them."""
    with pytest.raises(tariff.InvalidTariff) as refused:
        tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2, name="prices.toml")
    heading, *lines = str(refused.value).split("\n")
    assert heading == "prices.toml cannot be used as a tariff:"
    assert lines == refused.value.lines
    return lines


def test_every_finding_is_listed_with_file_line_key_value_and_what_was_expected() -> None:
    found = findings(
        'timezone = "Mars/One"\ncolour = "red"\n\n[[rules]]\ntag = "a*"\nper_minute = -1\n\n[[rules]]\nfixed = 0.0000001\n'
    )
    assert found == [
        'prices.toml:1: timezone = "Mars/One": expected an IANA time zone such as UTC or Europe/Berlin',
        'prices.toml:2: colour = "red": expected one of the keys timezone, effective_from, holidays, accounts, rules',
        "prices.toml:6: rule 1: per_minute = -1: expected a number from 0 to 9999 with at most 6 digits after the point",
        "prices.toml:8: rule 2: expected either tag or tag_regex",
        "prices.toml:9: rule 2: fixed = 1E-7: expected a number from 0 to 999999 with at most 6 digits after the point",
    ]


def test_a_file_of_exactly_2_to_the_18_bytes_is_taken_and_one_byte_more_is_not() -> None:
    whole = f"{RULE}# {'é' * 2**16}"
    whole += "x" * (2**18 - len(whole.encode()))
    assert len(tariff.parse_tariff(whole, 1, timezone="UTC", line_rule=LINE_RULE_2).rules) == 1
    assert findings(whole + "x") == ["prices.toml:1: the file: expected at most 262144 bytes"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a =", "prices.toml:1: the file: expected TOML"),
        ("a = 1\nb = = 2\n", "prices.toml:2: the file: expected TOML"),
        ("a = 1\nb = [\n", "prices.toml:3: the file: expected TOML"),
        (RULE + RULE.replace("]]", "]"), "prices.toml:3: the file: expected TOML"),
        ("a = [" * 5000, "prices.toml:1: the file: expected TOML"),
        ("a = " + "9" * 5000, "prices.toml:1: the file: expected TOML"),
        (f"# {'x' * 2**18}\n{RULE}", "prices.toml:1: the file: expected at most 262144 bytes"),
        ("", "prices.toml:1: rules: expected at least one [[rules]]"),
        ("rules = []", "prices.toml:1: rules = []: expected tables headed [[rules]]"),
        ("rules = 3", "prices.toml:1: rules = 3: expected tables headed [[rules]]"),
        (RULE * 1001, "prices.toml:1: rules = [{ tag"),
        (f"accounts = 1\n{RULE}", "prices.toml:1: accounts = 1: expected tables such as [accounts.acme]"),
        (f"[accounts.acme]\n{RULE}", "prices.toml:1: accounts.acme: expected a timezone"),
        (f'[accounts."a b"]\ntimezone = 1\n{RULE}', "prices.toml:2: accounts.a b.timezone = 1: expected an IANA"),
        (f"effective_from = 2026-10-01T00:00:00\n{RULE}", "prices.toml:1: effective_from = 2026-10-01T00:00:00: expected a date"),
        (f"effective_from = 1969-12-31\n{RULE}", "prices.toml:1: effective_from = 1969-12-31: expected a date"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_tariff_is_refused_at_its_line(text: str, where: str) -> None:
    assert findings(text)[0].startswith(where)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("monthly_fee = 500", 'a list of { from = "2026-10", price = CENTS }, with a text'),
        ("monthly_fee = []", 'a list of { from = "2026-10", price = CENTS }'),
        ('monthly_fee = [{ from = "2026-10" }]', 'a list of { from = "2026-10", price = CENTS }'),
        (
            'monthly_fee = [{ from = "2026-10", price = 1, to = "2026-11" }]',
            'a list of { from = "2026-10", price = CENTS }',
        ),
        ("monthly_fee = [{ from = 2026-10-01, price = 1 }]", 'a month such as "2026-10", from 1970 to 9998'),
        ('monthly_fee = [{ from = "2026-13", price = 1 }]', 'a month such as "2026-10", from 1970 to 9998'),
        ('monthly_fee = [{ from = "1969-12", price = 1 }]', 'a month such as "2026-10", from 1970 to 9998'),
        ('monthly_fee = [{ from = "2026-10", price = -1 }]', "a number from 0 to 99999999"),
        ('monthly_fee = [{ from = "2026-10", price = 1, text = "" }]', "a text of 1 to 256 characters"),
        (
            'monthly_minimum = [{ from = "2026-10", price = 1, text = "x" }]',
            'a list of { from = "2026-10", price = CENTS }',
        ),
        (
            'monthly_minimum = [{ from = "2026-11", price = 1 }, { from = "2026-11", price = 2 }]',
            "each price from a later month than the one before it",
        ),
        ("monthly_price = 1", "one of the keys timezone, monthly_fee, monthly_minimum"),
    ],
)
def test_a_monthly_price_that_cannot_be_is_refused_at_its_line(line: str, expected: str) -> None:
    found = findings(f"{RULE}[accounts.acme]\n{line}\n")
    assert any(each.startswith("prices.toml:4: accounts.acme.") and f"expected {expected}" in each for each in found)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tags = 1", "one of the keys tag, tag_regex, src_prefix, account"),
        ('account = ""', "a text of 1 to 256 characters"),
        ('src_prefix = "+"', "the beginning of a phone number"),
        ("markup_percent = -100.5", "a number from -100 to 10000"),
        ('fixed = "1"', "a number from 0 to 999999"),
        ("fixed = nan", "a number from 0 to 999999"),
        ("fixed = inf", "a number from 0 to 999999"),
        ("fixed = true", "a number from 0 to 999999"),
        ("fixed = 1e400000", "a number from 0 to 999999"),
        ("fixed = 1e-400000", "a number from 0 to 999999"),
        ('increment = "60"', "initial and subsequent seconds"),
        ('increment = "0/6"', "initial and subsequent seconds"),
        ('increment = "60/6"', "per_minute beside it"),
        ("connection_fee = 1", "per_minute beside it"),
        ('leg = "both"', "per_minute beside it"),
        ('leg = "destination"', '"src", "dest" or "both"'),
        ("greater = true", "per_minute beside it"),
        ('greater = "yes"', "true or false"),
        ("per_minute = 1\nfixed = 1", "greater = true beside it"),
        ("per_minute = 1\nmarkup_percent = 1\ngreater = false", "greater = true beside it"),
        ("minimum = 2\nmaximum = 1", "no more than the maximum"),
        ('tag_regex = "a"', "either tag or tag_regex"),
        ("sip_credit_price = 201", "a number from 0 to 200"),
        ("sip_credit_price = []", "a price, or a list of"),
        ("sip_credit_price = [{from = 2026-10-01, price = -1}]", "a number from 0 to 200"),
        (
            "sip_credit_price = [{from = 2026-10-02, price = 1}, {from = 2026-10-02, price = 2}]",
            "each price from a later date",
        ),
        ('rounding = "up"', "a table such as"),
        ('rounding = {mode = "up", digits = 2}', "a table such as"),
        ('rounding = {mode = "nearest", places = 2}', "a mode, one of none, up, down, half-up, half-even"),
        ('rounding = {mode = "up"}', "places of a cent, from 0 to 6"),
        ('rounding = {mode = "up", places = 7}', "places of a cent, from 0 to 6"),
        ('rounding = {mode = "up", places = true}', "places of a cent, from 0 to 6"),
        ('rounding = {mode = ["up"], places = 2}', "a mode, one of none"),
        ('rounding = {mode = "up", places = 2, level = "month"}', 'the level "call" or "statement"'),
        ('rounding = {mode = "none", places = 2}', 'no places and no level beside mode = "none"'),
        ("effective_from = 2026", "a date such as 2026-10-01"),
        ("effective_from = 12:00:00", "a date such as 2026-10-01"),
    ],
)
def test_a_rule_with_a_value_that_cannot_be_is_refused(line: str, expected: str) -> None:
    assert any(f"expected {expected}" in found for found in findings(f"{RULE}{line}\n"))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("(", "a regular expression as in Python (missing ), unterminated subpattern"),
        ("(?P<account>a)(?P<account>b)", "a regular expression as in Python (redefinition"),
        ("a{99999999999999}", "a regular expression as in Python ("),
        ("a" * 257, "at most 256 characters"),
        ("(a+)+b", "a regular expression with few ways"),
        ("(?:a|ab)*c", "a regular expression with few ways"),
        ("(?:a?){200}b", "a regular expression with few ways"),
        (".*.*.*.*x", "a regular expression with few ways"),
        ("(?=(a+)+b)a", "a regular expression with few ways"),
        ("x|(a*)*", "a regular expression with few ways"),
        ("(a+?)+?b", "a regular expression with few ways"),
        (".*?.*?.*?.*?x", "a regular expression with few ways"),
    ],
)
def test_a_regular_expression_that_is_none_or_may_never_end_is_refused(pattern: str, expected: str) -> None:
    [found] = findings(f"[[rules]]\ntag_regex = '{pattern}'\n")
    assert f"expected {expected}" in found


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<account>[a-z]+)-[0-9]+",
        "(?P<account>.+)-.+-.+",
        "(?i)acme|zürich",
        "(?:[a-z]+-){1,2}x",
        "[0-9]{6}",
        "(?:a|b|c)*",
        "(?>a+)x",
        "",
    ],
)
def test_a_usual_regular_expression_is_taken(pattern: str) -> None:
    assert tariff_patterns.parse_regex(pattern)


def test_a_regex_with_a_group_named_account_has_no_constant_beside_it() -> None:
    [found] = findings("[[rules]]\ntag_regex = '(?P<account>.+)-1'\naccount = 'x'\n")
    assert found.startswith('prices.toml:3: rule 1: account = "x": expected no account beside')


def test_lines_are_found_below_any_kind_of_header() -> None:
    text = (
        "[accounts.acme]\n[accounts.'a.b']\n  timezone = 'x'\n[[rules]]\ntag='*'\n[rules.rounding]\nmode='up'\n"
        "[[rules]]\nrounding.mode = 'up'\n'quoted'=1\nlist = [\n  1,\n  2,\n]\n"
    )
    lines = TomlLines(text)
    found = [
        lines.line_of(path)
        for path in (
            ("accounts", "acme"), ("accounts", "a.b", "timezone"), ("rules", 0), ("rules", 0, "rounding", "mode"),
            ("rules", 1, "rounding"), ("rules", 1, "quoted"), ("rules", 1, "list", 1), ("rules", 0, "nowhere"), ("nowhere",),
        )
    ]  # fmt: skip
    assert found == [1, 3, 4, 7, 9, 10, 11, 4, 1]


@given(st.lists(tariffs.rules(), min_size=1, max_size=4), st.data())
def test_a_broken_value_is_found_at_its_line_wherever_it_stands(
    rules: list[dict[str, Any]], data: st.DataObject
) -> None:
    text = tariffs.text(*rules)
    assert len(tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2).rules) == len(rules)
    lines = text.split("\n")
    places = [number for number, line in enumerate(lines) if " = " in line]
    broken = data.draw(st.sampled_from(places))
    key = lines[broken].partition(" = ")[0]
    lines[broken] = f"{key} = 1979-05-27T07:32:00"
    found = findings("\n".join(lines))
    assert any(
        each.startswith(f"prices.toml:{broken + 1}: ") and f"{key} = 1979-05-27T07:32:00" in each for each in found
    )


@given(st.text(max_size=200) | st.text("[]{}=\"'.#\n rulestag0-9", max_size=60))
def test_any_text_is_a_tariff_or_refused_with_findings(text: str) -> None:
    try:
        tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2)
    except tariff.InvalidTariff as refused:
        assert refused.findings  # noqa: PT017  # Either outcome is right, and this is what the second one must have.


def test_the_largest_number_of_rules_and_the_longest_increment_are_taken() -> None:
    assert len(tariff.parse_tariff(RULE * 1000, 1, timezone="UTC", line_rule=LINE_RULE_2).rules) == 1000
    (rule,) = tariff.parse_tariff(
        f'{RULE}per_minute = 1\nincrement = "86400/1"\n', 1, timezone="UTC", line_rule=LINE_RULE_2
    ).rules
    assert rule.increment == (86_400, 1)


def test_a_minimum_may_equal_the_maximum() -> None:
    (rule,) = tariff.parse_tariff(f"{RULE}minimum = 2\nmaximum = 2\n", 1, timezone="UTC", line_rule=LINE_RULE_2).rules
    assert (rule.minimum, rule.maximum) == (2_000_000, 2_000_000)
    assert findings(f"{RULE}minimum = 2\nmaximum = 1\n") == [
        "prices.toml:3: rule 1: minimum = 2: expected no more than the maximum"
    ]
    assert len(tariff.parse_tariff(f"{RULE}maximum = 0\n", 1, timezone="UTC", line_rule=LINE_RULE_2).rules) == 1


def test_a_rule_begins_with_the_file_unless_it_says_when_itself() -> None:
    text = f"{RULE}effective_from = 1970-01-01\n{RULE}"
    assert [rule.since for rule in tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2).rules] == [0, 0]
    assert tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2).since == 0


@pytest.mark.parametrize(
    ("keys", "finding"),
    [
        ('tag = "a"\ntag_regex = "b"\n', 'prices.toml:2: rule 1: tag = "a": expected either tag or tag_regex'),
        ('tag_regex = "b"\ntag = "a"\n', 'prices.toml:3: rule 1: tag = "a": expected either tag or tag_regex'),
        ("fixed = 1\n", "prices.toml:1: rule 1: expected either tag or tag_regex"),
        (
            'tag = "a"\ngreater = true\n',
            "prices.toml:3: rule 1: greater = true: expected per_minute beside it, an own price to compare with",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_found_at_the_key_that_is_wrong(keys: str, finding: str) -> None:
    assert findings(f"[[rules]]\n{keys}")[0] == finding


def only_rule(keys: str) -> tariff.Rule:
    (rule,) = tariff.parse_tariff(f"{RULE}{keys}", 1, timezone="UTC", line_rule=LINE_RULE_2).rules
    return rule


def test_the_longest_account_is_taken_and_none_with_a_zero_character() -> None:
    assert only_rule(f'account = "{"a" * 256}"\n').account == "a" * 256
    for text, key in (('"a\\u0000b"', "account"), ('"a\\u0000b"', "tag_regex")):
        other = RULE if key == "account" else "[[rules]]\n"
        assert findings(f"{other}{key} = {text}\n")[0].startswith(
            f"prices.toml:{other.count(chr(10)) + 1}: rule 1: {key}"
        )


def test_a_price_of_sip_credits_holds_always_or_from_the_day_that_each_names() -> None:
    assert only_rule("sip_credit_price = 3\n").sip_prices == ((0, 3_000_000),)
    for broken in ("[1]", "[{ from = 2026-10-01, cost = 1 }]", "[{ price = 1 }]", "[]"):
        assert findings(f"{RULE}sip_credit_price = {broken}\n")[0].startswith("prices.toml:3: rule 1: sip_credit_price")


def test_the_longest_pattern_is_taken() -> None:
    assert only_rule("").glob == "*"
    for key in ("tag", "tag_regex"):
        text = f'[[rules]]\n{key} = "{"a" * 256}"\n'
        assert len(tariff.parse_tariff(text, 1, timezone="UTC", line_rule=LINE_RULE_2).rules) == 1
        assert "at most 256 characters" in findings(text.replace("aaa", "aaaa", 1))[0]
