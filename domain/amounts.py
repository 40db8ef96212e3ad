"""Amounts as whole millionths of a cent or of a SIP credit: exact in Python, in SQLite and in PostgreSQL alike (SPEC 1).

US cents and SIP credits share this form and are still two units: nothing here adds one to the other.
"""

PLACES = 6
ONE = 1_000_000


def millionths(text: str) -> int:
    """Read a decimal such as ``49.2`` or ``01.50`` as millionths; the caller has checked its form."""
    whole, _, fraction = text.partition(".")
    return int(whole) * ONE + int(fraction.ljust(PLACES, "0")) if fraction else int(whole) * ONE


def plain(amount: int) -> str:
    """Return millionths as a plain decimal: no exponent, separators, leading or trailing zeros (SPEC 8)."""
    whole, fraction = divmod(abs(amount), ONE)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{fraction:06d}".rstrip("0") if fraction else f"{sign}{whole}"
