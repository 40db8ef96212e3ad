"""What a call costs, as the issue says it and as slowly as can be: fractions, and Python's decimal for the rounding.

A rule is a plain dict with the keys of the file; a tag's pattern is taken for granted here.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from tests.support.model import bands
from tests.support.model.bands import Clock

Numbers = Sequence[int | None]

MODES = {"up": ROUND_UP, "down": ROUND_DOWN, "half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN}
EXACT = Context(prec=200)
MILLIONTH = Fraction(1, 1_000_000)


def seconds_billed(duration: int, increment: str) -> int:
    """Count up as a meter does: the first step, then further ones until the call fits."""
    initial, subsequent = (int(part) for part in increment.split("/"))
    if duration == 0:
        return 0
    if duration <= initial:
        return initial
    steps = -(-(duration - initial) // subsequent)
    return initial + steps * subsequent


def billed_seconds(rule: Mapping[str, Any], numbers: Numbers) -> int | None:
    """The seconds that count: those of the legs with an own price, else the destination's."""
    return sum(seconds_of_legs(rule, numbers)) if "per_minute" in rule or "bands" in rule else numbers[1]


def seconds_of_legs(rule: Mapping[str, Any], numbers: Numbers) -> list[int]:
    """The billed seconds of each leg that is billed."""
    return [seconds_billed(numbers[leg] or 0, rule.get("increment", "1/1")) for leg in legs_of(rule)]


def legs_of(rule: Mapping[str, Any]) -> list[int]:
    """The places of the legs that are billed."""
    return {"src": [0], "dest": [1], "both": [0, 1]}[rule.get("leg", "dest")]


def own_price(rule: Mapping[str, Any], numbers: Numbers, clock: Clock | None) -> Fraction:
    """The price of the billed seconds."""
    if "bands" in rule:
        assert clock
        start = clock.cdr_at - max(numbers[leg] or 0 for leg in legs_of(rule)) * 1_000_000
        return sum(
            (bands.price(rule, seconds, start, clock) for seconds in seconds_of_legs(rule, numbers)), Fraction(0)
        )
    total = Fraction(0)
    for seconds in seconds_of_legs(rule, numbers):
        first = min(seconds, 60)
        total += first * Fraction(rule.get("first_minute", rule["per_minute"])) / 60
        total += (seconds - first) * Fraction(rule["per_minute"]) / 60
    return total


def exact_price(rule: Mapping[str, Any], numbers: Numbers, clock: Clock | None = None) -> Fraction:
    """The price in cents before it is rounded."""
    amounts = [MILLIONTH * (number or 0) for number in numbers[2:]]
    cost, credits_ = amounts[0] + amounts[1], amounts[2] + amounts[3]
    happened = any(number is not None and number > 0 for number in numbers)
    cost_plus = cost + cost * Fraction(rule.get("markup_percent", 0)) / 100
    if happened:
        cost_plus += Fraction(rule.get("fixed", 0))
    price = cost_plus
    if "per_minute" in rule or "bands" in rule:
        price = own_price(rule, numbers, clock)
        if happened:
            price += Fraction(rule.get("connection_fee", 0))
        if rule.get("greater"):
            price = max(price, cost_plus)
    price += credits_ * Fraction(rule.get("sip_credit_price", 0))
    if happened and "minimum" in rule:
        price = max(price, Fraction(rule["minimum"]))
    return min(price, Fraction(rule["maximum"])) if "maximum" in rule else price


def quantized(amount: Fraction, places: int, mode: str) -> Fraction:
    """Round by Python's decimal: a fraction of a price has so few digits, or a period of them, that 200 tell."""
    tail = EXACT.divide(Decimal(amount.numerator), Decimal(amount.denominator))
    return Fraction(tail.quantize(Decimal(1).scaleb(-places), rounding=MODES[mode], context=EXACT))


def price(rule: Mapping[str, Any], numbers: Numbers, clock: Clock | None = None) -> tuple[int, int]:
    """The price and what rounding per call has added, in millionths of a cent."""
    exact = exact_price(rule, numbers, clock)
    fine = quantized(exact, 6, "half-even")
    told = rule.get("rounding", {"mode": "none"})
    if told["mode"] == "none" or told.get("level") == "statement":
        return int(fine / MILLIONTH), 0
    rounded = quantized(exact, told["places"], told["mode"])
    return int(rounded / MILLIONTH), int((rounded - fine) / MILLIONTH)
