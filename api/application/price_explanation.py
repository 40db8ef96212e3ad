"""Explains a price in words and as a document: each step, so that you can check it with pencil and paper."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from api.application.masking import masked_row
from domain import amounts, times
from domain.amounts import PLACES
from domain.billing import rating
from domain.billing.rating import PriceStep
from domain.billing.rounding import CALL, NONE
from domain.billing.tariff import Rule
from domain.billing.weekly_bands import WeeklyBands
from domain.events.operator_events import OperatorEvent
from projections.queries.price_history import PriceHistory, PriceVersion, TariffChoice
from projections.rows.entry import Entry

DIGITS = 12
LEGS = ("source", "destination")


class ExplanationLine(NamedTuple):
    """One line of an explanation: the step, how it was calculated, and the resulting cents, empty if it has none."""

    step: str
    how: str
    cents: str = ""


def format_cents(amount: Fraction) -> str:
    """Return an exact amount as a decimal; an infinite one is cut after twelve digits and ends in ``…``."""
    scaled = amount * 10**DIGITS
    whole, rest = divmod(abs(scaled.numerator), scaled.denominator)
    digits = f"{whole:0{DIGITS + 1}d}"
    text = f"{digits[:-DIGITS]}.{digits[-DIGITS:]}"
    text = f"{text}…" if rest else text.rstrip("0").rstrip(".")
    return f"-{text}" if amount < 0 else text


def explanation_lines(pricing: PriceVersion) -> Iterator[ExplanationLine]:
    """Yield the lines of one price, in the order of calculation."""
    if pricing.rated and pricing.choice:
        yield from _chosen(pricing.choice)
        for step in pricing.steps:
            yield ExplanationLine(step.kind, _said(step, pricing.choice.rule), format_cents(step.price))
        yield from _ended(pricing)
    else:
        yield ExplanationLine("price", "the call no longer has a CDR", "0")
    yield from _posted(pricing)


def _chosen(choice: TariffChoice) -> Iterator[ExplanationLine]:
    for passed in choice.passed:
        what = f"rule {passed.rule} of version {passed.version}" if passed.rule else f"version {passed.version}"
        yield ExplanationLine("skipped", f"{what}: {passed.why}")
    if choice.published is None:
        yield ExplanationLine("tariff", "none was in effect: the account is the tag, the price is the cost")
        return
    version, position = choice.published.tariff.version, choice.published.position
    why = "chosen by a rerating" if choice.is_rerated else "the last one before the CDR"
    asked = next((passed.version for passed in choice.passed if passed.rule), version)
    if choice.rule and asked != version:
        why = f"version {asked} leaves the price to it until its own rule is in effect"
    yield ExplanationLine("tariff", f"version {version}, published at position {position}: {why}")
    if choice.rule:
        yield ExplanationLine("rule", f"rule {choice.rule.number}, at line {choice.rule.line}: the first that fits")
    else:
        yield ExplanationLine("rule", "none fits: the account is the tag, the price is the cost")


def _said(step: PriceStep, rule: Rule | None) -> str:
    if rule and rule.bands and step.kind in _OF_BANDS:
        return _OF_BANDS[step.kind](rule.bands, *step.factors)
    shown = [amounts.plain(term) for term in step.factors]
    words: dict[str, Callable[[], str]] = {
        rating.LEG: lambda: _leg(*step.factors),
        rating.MINUTES: lambda: f"{step.factors[0]} s at {shown[1]} cents a minute",
        rating.FIRST_MINUTE: lambda: f"{step.factors[0]} s in the first minute at {shown[1]} cents a minute",
        rating.FEE: lambda: f"{shown[0]} for the connection",
        rating.COST: lambda: f"{shown[0]} for the source leg, {shown[1]} for the destination leg",
        rating.MARKUP: lambda: f"{shown[0]} percent on the cost",
        rating.FIXED: lambda: f"{shown[0]} for a connected call",
        rating.GREATER: lambda: "the greater of the own price and the marked-up cost",
        rating.CREDITS: lambda: f"{shown[0]} SIP credits at {shown[1]} cents",
        rating.MINIMUM: lambda: f"at least {shown[0]}",
        rating.MAXIMUM: lambda: f"at most {shown[0]}",
    }
    return words[step.kind]()


def _start(bands: WeeklyBands, start: int, band: int) -> str:
    priced = "each second is priced by its own band" if bands.splits else "this band prices the whole call"
    return f"{times.iso(start)}, the CDR's time less its seconds, is in band {bands.bands[band].name} ({bands.timezone}): {priced}"


_OF_BANDS: dict[str, Callable[..., str]] = {
    rating.START: _start,
    rating.BAND_FIRST_MINUTE: lambda bands, seconds, rate, band: (
        f"{seconds} s in the first minute in band {bands.bands[band].name} at {amounts.plain(rate)} cents a minute"
    ),
    rating.BAND: lambda bands, seconds, rate, band: (
        f"{seconds} s in band {bands.bands[band].name} at {amounts.plain(rate)} cents a minute"
    ),
}


def _leg(leg: int, seconds: int, initial: int, subsequent: int, billed: int) -> str:
    return f"{LEGS[leg]} leg: {seconds} s, counted {initial}/{subsequent}, make {billed} s"


def _ended(pricing: PriceVersion) -> Iterator[ExplanationLine]:
    """Yield how the exact price is rounded or voided, and which account is billed."""
    rated, choice = pricing.rated, pricing.choice
    assert rated
    assert choice
    if found := _voided_or_rounded(pricing):
        yield found
    seconds = "no seconds" if rated.billed_seconds is None else f"{rated.billed_seconds} s"
    yield ExplanationLine("billed", f"to account {rated.account}, {seconds}", amounts.plain(rated.price))


def _voided_or_rounded(pricing: PriceVersion) -> ExplanationLine | None:
    """Return the last step to the price, or None where there is no price, or the price is the cost."""
    if pricing.is_void:
        return ExplanationLine("void", "not to be billed", "0")
    if pricing.rated and pricing.choice and pricing.choice.rule:
        return ExplanationLine("rounding", _rounding(pricing.choice.rule), amounts.plain(pricing.rated.price))
    return None


def _rounding(rule: Rule) -> str:
    mode, places, level = rule.rounding
    fine = f"half-even, to {PLACES} places of a cent"
    if mode == NONE:
        return fine
    return (
        f"{mode}, to {places} places of a cent"
        if level == CALL
        else f"{fine}; the statement's total {mode}, to {places}"
    )


def _posted(pricing: PriceVersion) -> Iterator[ExplanationLine]:
    why = f"; {pricing.closing.period} was closed at position {pricing.closing.position}" if pricing.closing else ""
    if pricing.entered:
        period, original = pricing.entered
        yield ExplanationLine("posted", f"to {period}" + (f", for {original}{why}" if period != original else ""))
    for posting in pricing.postings:
        forward = f", for {posting.original_period}{why}" if posting.original_period != posting.period else ""
        yield ExplanationLine(
            "posted",
            f"to {posting.period}{forward}: the difference, to account {posting.account}",
            format_signed(posting.price),
        )


def format_signed(amount: int) -> str:
    """Return millionths as a decimal with its sign."""
    return f"+{amounts.plain(amount)}" if amount > 0 else amounts.plain(amount)


def explanation_document(explanation: PriceHistory) -> dict[str, Any]:
    """Return an explanation as JSON has it: all amounts are plain decimals of US cents (SPEC 8).

    The steps before the rounding are exact as far as twelve places go; the rest is rounded half-even there.
    """
    tag, src = explanation.line
    return {
        "call_id": explanation.call_id,
        "tag": tag,
        "src": src or "",
        "ordinal": explanation.ordinal,
        "prices": [_pricing(pricing) for pricing in explanation.pricings],
        "rules": [
            {"tariff": version, "rule": number, "text": text} for (version, number), text in explanation.rules.items()
        ],
    }


def _pricing(pricing: PriceVersion) -> dict[str, Any]:
    rated = pricing.rated
    return {
        "position": pricing.position,
        "event": pricing.event,
        **operator_event_document(pricing.operator_event),
        "account": rated.account if rated else None,
        "billed_seconds": rated.billed_seconds if rated else None,
        "price": amounts.plain(rated.price) if rated else None,
        "rounding": amounts.plain(rated.rounding) if rated else None,
        "void": pricing.is_void,
        "chosen": _choice(pricing.choice) if pricing.choice else None,
        "steps": [*_steps(pricing), *_last_step(pricing)],
        "posted_to": pricing.entered[0] if pricing.entered else None,
        "original_period": pricing.entered[1] if pricing.entered else None,
        "closed_at_position": pricing.closing.position if pricing.closing else None,
        "postings": [entry_document(posting) for posting in pricing.postings],
    }


def operator_event_document(said: OperatorEvent | None) -> dict[str, str | None]:
    """Return who made an operator event, and why; both are empty if there is none."""
    return {"by": said.by if said else None, "reason": said.reason if said else None}


def _choice(choice: TariffChoice) -> dict[str, Any]:
    published, rule = choice.published, choice.rule
    return {
        "tariff": published.tariff.version if published else None,
        "published_at_position": published.position if published else None,
        "rerated": choice.is_rerated,
        "rule": rule.number if rule else None,
        "line": rule.line if rule else None,
        "passed_over": [{"tariff": each.version, "rule": each.rule or None, "why": each.why} for each in choice.passed],
    }


def _steps(pricing: PriceVersion) -> Iterator[dict[str, str]]:
    rule = pricing.choice.rule if pricing.choice else None
    for step in pricing.steps:
        rounded = Fraction(round(step.price * 10**DIGITS), 10**DIGITS)
        yield {"step": step.kind, "how": _said(step, rule), "price": format_cents(rounded)}


def _last_step(pricing: PriceVersion) -> Iterator[dict[str, str]]:
    if pricing.rated and (found := _voided_or_rounded(pricing)):
        yield {"step": found.step, "how": found.how, "price": found.cents}


AMOUNTS = ("cost", "sip_credits", "rounding", "price", "margin")


def entry_document(found: Entry) -> dict[str, Any]:
    """Return an entry of the books as a document, its amounts as decimals."""
    return found._asdict() | {name: amounts.plain(getattr(found, name)) for name in AMOUNTS}


def masked_explanation(document: dict[str, Any]) -> dict[str, Any]:
    """Return an explanation's document as users without the role ``pii`` see it."""
    prices = [
        masked_row(price) | {"postings": [masked_row(posting) for posting in price["postings"]]}
        for price in document["prices"]
    ]
    return masked_row(document) | {"prices": prices}
