"""Rating: a call's account and price, from its CDR's charges and the tariff in effect. Pure, and in whole numbers.

A rebuild rates every CDR. All terms of a price are whole multiples of one small unit, so nothing is lost before the one
rounding at the end, and no fraction is kept.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from operator import add
from typing import NamedTuple

from domain.amounts import ONE
from domain.billing.rounding import CALL, level_key, round_amount, rounding_step
from domain.billing.tariff import Rule, Tariff
from domain.billing.weekly_bands import FIRST_MINUTE_SECONDS, WeeklyBands
from domain.notices.call_notice import Charges
from domain.notices.line_number import line_number
from domain.times import SECOND

# The number of units in a millionth of a cent; prices are summed in units. It is a multiple of what each term is divided by:
# millionths of a percent of millionths, seconds at millionths a minute, millionths of a credit at millionths each.
UNITS = 300_000_000
_WHOLE = 100_000_000  # 100 percent, in millionths of a percent.
_PER_PERCENT = UNITS // _WHOLE
_PER_SECOND = UNITS // 60
_PER_CREDIT = UNITS // ONE

# A PriceStep with its price in units: a rebuild makes several for every CDR.
_ExactStep = tuple[str, tuple[int, ...], int]


class RatedCdr(NamedTuple):
    """The account to which a call is billed, and its price in millionths of a cent.

    ``tariff`` is the version as text and ``rule`` counts from 1; empty and 0 where no rule fits. ``rounding`` is what rounding
    per call has added (or, below 0, taken). ``level`` is how the statement's total is to be rounded, such as
    ``half-up:2``, or empty. ``timezone`` is that of the account's billing days, empty without a tariff.
    """

    account: str
    timezone: str
    tariff: str
    rule: int
    billed_seconds: int | None
    price: int
    rounding: int
    level: str


# The kinds of steps to a price, with their factors; amounts in millionths.
START = "start"  # When the call began (microseconds, UTC), and the place of its band.
LEG = "leg"  # Which of the CDR's charges, its seconds, the increment's first and further seconds, the seconds billed.
FIRST_MINUTE = "first-minute"  # Seconds in the first minutes, and cents a minute.
MINUTES = "minutes"  # Seconds, and cents a minute.
BAND_FIRST_MINUTE = "band-first-minute"  # Seconds in the first minutes, cents a minute, and the place of the band.
BAND = "band"  # Seconds, cents a minute, and the place of the band.
FEE = "fee"  # Cents for the connection.
COST = "cost"  # What the source leg costs, and what the destination leg costs.
MARKUP = "markup"  # Percent on the cost.
FIXED = "fixed"  # Cents for a connected call.
GREATER = "greater"  # The greater of the own price and the cost with its markup.
CREDITS = "credits"  # SIP credits, and cents for each.
MINIMUM = "minimum"  # Cents.
MAXIMUM = "maximum"  # Cents.


class PriceStep(NamedTuple):
    """One step to a price: its kind, its factors, and the exact price after it, in cents."""

    kind: str
    factors: tuple[int, ...]
    price: Fraction


class PublishedTariff(NamedTuple):
    """A tariff and the log's position at which it was published.

    ``falls_back``: a rule that has not begun leaves the price to the version before (SPEC 9.8), as in all versions published
    in shape 2; those of shape 1 decide finally.
    """

    position: int
    tariff: Tariff
    falls_back: bool = False


def version_in_effect(tariffs: Sequence[PublishedTariff], position: int, received_at: int) -> Tariff | None:
    """Return the latest version published before a position and in effect at a moment; versions in ascending order."""
    for published in reversed(tariffs):
        if published.position < position and published.tariff.since <= received_at:
            return published.tariff
    return None


def rate_cdr(tariff: Tariff | None, tag: str, src: str, received_at: int, charges: Charges) -> RatedCdr:
    """Rate a CDR, received at a moment (microseconds, UTC), by the first rule that fits; without one the price is the cost."""
    found = _rate_by_rule(tariff, tag, src, received_at, charges) if tariff else None
    return found or _rate_at_cost(tariff, tag, charges)


def rate_by_versions(
    tariffs: Sequence[PublishedTariff], asked: Tariff | None, call: tuple[str, str], at: int, charges: Charges
) -> RatedCdr:
    """Rate a CDR by the version asked first, or by the one before it where that leaves the price to it (SPEC 9.8).

    ``tariffs`` are the published versions in ascending order, ``call`` the tag and the number. Where none prices it, its
    price is its cost, in the time zone of the version asked first.
    """
    if asked is None:
        return _rate_at_cost(None, call[0], charges)
    found = _rate_by_rule(asked, *call, at, charges)
    if found:
        return found
    for tariff in versions_before(tariffs, asked, *call):
        if found := _rate_by_rule(tariff, *call, at, charges):
            return found
    return _rate_at_cost(asked, call[0], charges)


def versions_before(tariffs: Sequence[PublishedTariff], asked: Tariff, tag: str, src: str) -> Iterator[Tariff]:
    """Yield the versions to which the one asked leaves a call that none of its rules prices, one after another.

    The next one is asked where the last one yielded does not price the call either.
    """
    leaves = False
    for published in reversed(tariffs):
        tariff = published.tariff
        if leaves:
            yield tariff
        if leaves or tariff.version == asked.version:
            leaves = published.falls_back and any(
                _fits(rule, tag, line_number(src, tariff.line_rule)) for rule in tariff.rules
            )
            if not leaves:
                return


def _rate_by_rule(tariff: Tariff, tag: str, src: str, at: int, charges: Charges) -> RatedCdr | None:
    """Rate a CDR by the first rule that fits and is in effect, or return None where there is none."""
    for rule in tariff.rules:
        # As in _fits, once more: every CDR of a rebuild goes by every rule before its own.
        if (
            rule.since <= at
            and (match := rule.pattern.fullmatch(tag))
            and (not rule.src_prefix or line_number(src, tariff.line_rule).startswith(rule.src_prefix))
        ):
            account = rule.account or (match[rule.group] if rule.group else tag) or tag
            price, rounding, level = _rounded_price(rule, at, charges)
            return RatedCdr(
                account,
                tariff.timezone_of(account),
                str(tariff.version),
                rule.number,
                _billed_seconds_of(rule, charges) if rule.has_own_price else charges.dest_seconds,
                price,
                rounding,
                level,
            )
    return None


def _fits(rule: Rule, tag: str, number: str) -> bool:
    """Return whether a rule is for a tag and a line's number, at whatever time."""
    return bool(rule.pattern.fullmatch(tag)) and number.startswith(rule.src_prefix)


def _rate_at_cost(tariff: Tariff | None, tag: str, charges: Charges) -> RatedCdr:
    timezone = tariff.timezone_of(tag) if tariff else ""
    return RatedCdr(tag, timezone, "", 0, charges.dest_seconds, charges.cost, 0, "")


def price_steps(tariff: Tariff | None, rule_number: int, received_at: int, charges: Charges) -> list[PriceStep]:
    """Return the steps by which a rule of a tariff (0 for none) came to a price, before rounding; see ``rate_cdr``."""
    found = (
        _price_steps(tariff.rules[rule_number - 1], received_at, charges)
        if tariff and rule_number
        else _cost_step(charges)
    )
    return [PriceStep(what, terms, Fraction(units, UNITS * ONE)) for what, terms, units in found]


def billed_seconds(seconds: int, initial: int, subsequent: int) -> int:
    """Return the billed seconds of a leg: 0 for 0, else the initial seconds and whole steps of subsequent ones."""
    if seconds <= initial:
        return initial if seconds else 0
    return initial - (initial - seconds) // subsequent * subsequent


def _billed_seconds_of(rule: Rule, charges: Charges) -> int:
    return sum(billed_seconds(charges[leg] or 0, *rule.increment) for leg in rule.legs)


def _rounded_price(rule: Rule, received_at: int, charges: Charges) -> tuple[int, int, str]:
    """Return the price, the amount that rounding has added, and the rounding of the statement's total."""
    *_, (_, _, exact) = _price_steps(rule, received_at, charges)
    mode, places, level = rule.rounding
    fine = round_amount(exact, UNITS, "none")
    if level != CALL:
        return fine, 0, level_key(mode, places)
    size = rounding_step(places)
    price = round_amount(exact, UNITS * size, mode) * size
    return price, price - fine, ""


def _price_steps(rule: Rule, received_at: int, charges: Charges) -> Iterator[_ExactStep]:
    """Yield the steps to a price, with the exact price after each in units; see PriceStep."""
    connected = any(charges)
    price = 0
    has_own_price = rule.has_own_price
    if has_own_price:
        for step_ in _own_price_steps(rule, received_at, charges):
            yield step_
            price = step_[2]
        if rule.connection_fee and connected:
            price += rule.connection_fee * UNITS
            yield FEE, (rule.connection_fee,), price
    if not has_own_price or rule.greater:
        own = price
        for step_ in _cost_plus_steps(rule, connected, charges):
            yield step_
            price = step_[2]
        if rule.greater:
            price = max(own, price)
            yield GREATER, (), price
    if rule.sip_prices:
        credit_price = _credit_price(rule, received_at)
        price += charges.sip_credits * credit_price * _PER_CREDIT
        yield CREDITS, (charges.sip_credits, credit_price), price
    if rule.minimum is not None and connected:
        price = max(price, rule.minimum * UNITS)
        yield MINIMUM, (rule.minimum,), price
    if rule.maximum is not None:
        price = min(price, rule.maximum * UNITS)
        yield MAXIMUM, (rule.maximum,), price


def _own_price_steps(rule: Rule, received_at: int, charges: Charges) -> Iterator[_ExactStep]:
    start = 0
    if rule.bands:
        start = started_at(rule, received_at, charges)
        yield START, (start, rule.bands.band_at(start)), 0
    billed = [billed_seconds(charges[leg] or 0, *rule.increment) for leg in rule.legs]
    for leg, seconds in zip(rule.legs, billed, strict=True):
        yield LEG, (leg, charges[leg] or 0, *rule.increment, seconds), 0
    if rule.bands:
        yield from _band_steps(rule.bands, start, billed)
        return
    assert rule.per_minute is not None
    price, others = 0, sum(billed)
    if rule.first_minute is not None:
        first = sum(min(seconds, FIRST_MINUTE_SECONDS) for seconds in billed)
        others -= first
        price = first * rule.first_minute * _PER_SECOND
        yield FIRST_MINUTE, (first, rule.first_minute), price
    yield MINUTES, (others, rule.per_minute), price + others * rule.per_minute * _PER_SECOND


def started_at(rule: Rule, received_at: int, charges: Charges) -> int:
    """Return when a call began (microseconds, UTC): the CDR's time less the seconds of its longest billed leg (SPEC 9.14)."""
    return received_at - max(charges[leg] or 0 for leg in rule.legs) * SECOND


def _band_steps(bands: WeeklyBands, start: int, billed: Sequence[int]) -> Iterator[_ExactStep]:
    """Yield a step for each price of each band in which there are billed seconds; ``billed`` has those of each leg."""
    firsts, others = [0] * len(bands.bands), [0] * len(bands.bands)
    for seconds in billed:
        border = min(seconds, FIRST_MINUTE_SECONDS)
        firsts = list(map(add, firsts, bands.spread(start, 0, border)))
        others = list(map(add, others, bands.spread(start, border, seconds)))
    price = 0
    for place, band in enumerate(bands.bands):
        if band.first_minute == band.per_minute:
            firsts[place], others[place] = 0, firsts[place] + others[place]
        for kind, seconds, rate in (
            (BAND_FIRST_MINUTE, firsts[place], band.first_minute),
            (BAND, others[place], band.per_minute),
        ):
            if seconds:
                price += seconds * rate * _PER_SECOND
                yield kind, (seconds, rate, place), price


def _cost_step(charges: Charges) -> Iterator[_ExactStep]:
    yield COST, (charges.src_charge or 0, charges.dest_charge or 0), charges.cost * UNITS


def _cost_plus_steps(rule: Rule, connected: bool, charges: Charges) -> Iterator[_ExactStep]:  # noqa: FBT001
    yield from _cost_step(charges)
    price = charges.cost * (_WHOLE + rule.markup_percent) * _PER_PERCENT
    if rule.markup_percent:
        yield MARKUP, (rule.markup_percent,), price
    if rule.fixed and connected:
        yield FIXED, (rule.fixed,), price + rule.fixed * UNITS


def _credit_price(rule: Rule, received_at: int) -> int:
    return next((price for since, price in reversed(rule.sip_prices) if since <= received_at), 0)
