"""Patterns of numbers: what one makes of a month and an ordinal, and which are refused (SPEC 9.13)."""

import pytest

from domain.billing.statement_numbers import check_pattern, next_number


@pytest.mark.parametrize(
    ("pattern", "ordinal", "number", "scope"),
    [
        ("{year}-{number:4}", 1, "2026-0001", "2026-{number}"),
        ("{year}-{number:4}", 12345, "2026-12345", "2026-{number}"),
        ("EU.{year}{month}-{number}", 7, "EU.202610-7", "EU.202610-{number}"),
        ("R{number:6}", 3, "R000003", "R{number}"),
    ],
)
def test_a_pattern_makes_numbers_that_count_within_what_stands_around_them(
    pattern: str, ordinal: int, number: str, scope: str
) -> None:
    assert check_pattern(pattern) == pattern
    assert next_number(pattern, "2026-10", ordinal) == (number, scope, ordinal)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "2026",
        "{number}{number}",
        "{year}{number}",
        "{number}{year}",
        "20{number}",
        "{number}7",
        "{month}-{number}",
        "{year}-{year}-{number}",
        "{number:0}",
        "{number:12}",
        "a/{number}",
        "ü{number}",
        "-{number}",
        ".{number}",
        "{day}-{number}",
        "x" * 40 + "{number}",
    ],
)
def test_a_pattern_whose_numbers_could_be_mistaken_for_others_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r'a pattern such as "\{year\}-\{number:4\}"'):
        check_pattern(pattern)
