"""Amounts as whole millionths of a cent or of a SIP credit: exact in Python, in SQLite and in PostgreSQL alike (SPEC 1, 9.1).

US cents and SIP credits share this form and are still two units: nothing here adds one to the other.
"""

PLACES = 6
ONE = 1_000_000


def millionths(text: str) -> int:
    """Read a decimal such as ``49.2``, ``01.50`` or ``1.0E-5`` as millionths, rounded half-even (SPEC 9.1).

    The caller has checked its form.
    """
    whole, _, fraction = text.partition(".")
    if len(fraction) <= PLACES and whole.isdigit() and (fraction.isdigit() or not fraction):
        return int(whole + fraction.ljust(PLACES, "0"))
    amount, rest, size = _divided(text)
    return amount + (2 * rest > size or (2 * rest == size and amount % 2 == 1))


def is_rounded(text: str) -> bool:
    """Whether a decimal says more than millionths can hold, so that ``millionths`` has rounded it."""
    may_be = len(text) > PLACES + 1 or "-" in text  # A short text without an exponent has few digits.
    return may_be and _divided(text)[1] != 0


def _divided(text: str) -> tuple[int, int, int]:
    """Return the whole millionths of a decimal, what is left of them, and of how many parts."""
    mantissa, _, exponent = text.replace("E", "e").partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = PLACES - len(fraction) + int(exponent or 0)
    digits = int(whole + fraction)
    size = 10 ** max(-shift, 0)
    return *divmod(digits * 10 ** max(shift, 0), size), size


def plain(amount: int) -> str:
    """Return millionths as a plain decimal: no exponent, separators, leading or trailing zeros (SPEC 8)."""
    whole, fraction = divmod(abs(amount), ONE)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{fraction:06d}".rstrip("0") if fraction else f"{sign}{whole}"
