"""A tariff's author hears until when another version decides, and which rules are never reached (SPEC 9.8)."""

import pytest

from domain.billing.tariff import parse_tariff
from domain.billing.tariff_notes import tariff_notes
from domain.notices.line_number import LINE_RULE_2


def notes(text: str, before: int = 1) -> list[str]:
    return [str(note) for note in tariff_notes(parse_tariff(text, 2, timezone="UTC", line_rule=LINE_RULE_2), before)]


def rule(tag: str, more: str = "") -> str:
    key = "tag_regex" if tag.startswith("^") else "tag"
    return f"[[rules]]\n{key} = '{tag.removeprefix('^')}'\n{more}\n"


LATER = "effective_from = 2026-11-01"
NOVEMBER = "2026-11-01T00:00:00.000000Z"


def test_of_a_rule_that_begins_later_it_is_said_until_when_the_version_before_decides() -> None:
    assert notes(rule("acme") + rule("*", LATER)) == [
        f"rule 2: until {NOVEMBER}, version 1 decides on the calls that it fits"
    ]


def test_without_a_version_before_their_cost_is_their_price() -> None:
    assert notes(rule("acme") + rule("*", LATER), before=0) == [
        f"rule 2: until {NOVEMBER}, the calls that it fits have no rule, and their cost is their price"
    ]


def test_a_later_rule_that_takes_the_same_calls_decides_until_then_and_no_other_version() -> None:
    assert notes(rule("acme", LATER) + rule("*")) == []


def test_a_later_rule_that_begins_earlier_ends_the_time_of_the_version_before() -> None:
    text = rule("y") + rule("x", LATER) + rule("*", "effective_from = 2026-10-01")
    until = "until 2026-10-01T00:00:00.000000Z, version 1 decides on the calls that it fits"
    assert notes(text) == [f"rule 2: {until}", f"rule 3: {until}"]


def test_rules_that_begin_with_the_tariff_itself_need_no_note() -> None:
    assert notes(f"{LATER}\n" + rule("acme") + rule("*")) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("*"), rule("acme")),
        (rule("acme-*"), rule("acme-0?")),
        (rule("^acme-[0-9]+"), rule("acme-7")),
        (rule("^acme-[0-9]+"), rule("^acme-[0-9]+")),
        (rule("*"), rule("^acme-[0-9]+")),
        (rule("*", 'src_prefix = "49"'), rule("acme", 'src_prefix = "4930"')),
        (rule("*", LATER), rule("acme", "effective_from = 2026-12-01")),
    ],
)
def test_a_rule_behind_one_that_takes_all_its_calls_is_never_reached(first: str, second: str) -> None:
    line = first.count("\n") + 1
    assert [
        note
        for note in tariff_notes(parse_tariff(first + second, 1, timezone="UTC", line_rule=LINE_RULE_2), 0)
        if not note.until
    ] == [(line, 2, 0, "never reached: rule 1, at line 1, takes every call that it fits")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("acme"), rule("*")),
        (rule("acme-0?"), rule("acme-*")),
        (rule("^acme-[0-9]+"), rule("acme-x")),
        (rule("^acme-[0-9]+"), rule("acme-*")),
        (rule("*", 'src_prefix = "4930"'), rule("acme", 'src_prefix = "49"')),
        (rule("*", 'src_prefix = "49"'), rule("acme")),
        (rule("*", LATER), rule("acme")),
    ],
)
def test_a_rule_that_some_call_reaches_is_not_warned_of(first: str, second: str) -> None:
    assert not [note for note in notes(first + second) if "never reached" in note]
