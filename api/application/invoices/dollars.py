"""Amounts on customers' statements: whole cents, rounded half away from zero, as dollars with two places (SPEC 9.13)."""

from collections.abc import Iterable

from domain.amounts import ONE, plain

CENTS_PER_DOLLAR = 100


def whole_cents(amount: int) -> int:
    """Return millionths of a cent in whole cents, rounded half away from zero."""
    cents = (2 * abs(amount) + ONE) // (2 * ONE)
    return -cents if amount < 0 else cents


def dollars(cents: int) -> str:
    """Return whole cents as dollars with two places: ``-0.12``."""
    whole, rest = divmod(abs(cents), CENTS_PER_DOLLAR)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


def exact_cents(amount: int) -> str:
    """Return millionths of a cent as a plain decimal of cents."""
    return plain(amount)


def rounding_to(due: int, amounts: Iterable[int]) -> tuple[int, int]:
    """Return what is missing to an amount due in whole cents: in millionths of a cent, and in whole cents.

    The first is missing to the exact amounts, the second to the amounts as they are printed, each rounded by itself.
    """
    listed = list(amounts)
    return due * ONE - sum(listed), due - sum(map(whole_cents, listed))
