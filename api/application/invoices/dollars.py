"""Amounts on customers' statements: whole cents, rounded half away from zero, as dollars with two places (SPEC 9.13)."""

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
