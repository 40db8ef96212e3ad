"""What is compared: charged calls as the export shows them, and the totals of tags.

All values are texts as in the export of ``cdrs`` (SPEC 8), so that equal means equal to the last digit.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from api.application.rehearsal.random_charges import Numbers
from domain.notices.line_number import LINE_RULE_1, hide_password, line_number

ZERO = Decimal(0)


class ChargedCall(msgspec.Struct, frozen=True):
    """One charged call; durations in seconds, charges and cost in US cents, SIP charges and credits in SIP credits."""

    tag: str
    src: str
    disposition: str
    src_duration: str
    dest_duration: str
    src_charge: str
    dest_charge: str
    src_sip_charge: str
    dest_sip_charge: str
    cost: str
    sip_credits: str
    flags: str


COLUMNS = ChargedCall.__struct_fields__


def comparable_src(src: str) -> str:
    """Return a number or address as ledgers of either line rule have it in common: without separators and passwords."""
    return line_number(hide_password(src), LINE_RULE_1)


class TagTotal(msgspec.Struct, frozen=True):
    """The total of a tag's charged calls, over all months."""

    tag: str
    calls: str
    answered: str
    src_seconds: str
    dest_seconds: str
    cost: str
    sip_credits: str


SUMMED = {
    "src_seconds": "src_duration",
    "dest_seconds": "dest_duration",
    "cost": "cost",
    "sip_credits": "sip_credits",
}


def charged_call(tag: str, src: str, disposition: str, numbers: Numbers, flags: Iterable[str]) -> ChargedCall:
    """Return the row of a call with these six numbers; absent charges count as 0 in the sums."""
    _, _, *charges = numbers
    cost, sip_credits = (sum((charge or ZERO for charge in pair), ZERO) for pair in (charges[:2], charges[2:]))
    texts = ["" if number is None else plain(number) for number in numbers]
    values = [tag, src, disposition, *texts, plain(cost), plain(sip_credits), ";".join(sorted(flags))]
    return msgspec.convert(dict(zip(COLUMNS, values, strict=True)), ChargedCall)


def tag_totals(rows: Iterable[ChargedCall]) -> list[TagTotal]:
    """Return the total of each tag, in order of the tag."""
    by_tag: dict[str, list[ChargedCall]] = {}
    for row in rows:
        by_tag.setdefault(row.tag, []).append(row)
    return [_total(tag, by_tag[tag]) for tag in sorted(by_tag)]


def _total(tag: str, rows: list[ChargedCall]) -> TagTotal:
    answered = sum(row.disposition == "ANSWERED" for row in rows)
    sums = [plain(sum((Decimal(getattr(row, column) or 0) for row in rows), ZERO)) for column in SUMMED.values()]
    return TagTotal(tag, str(len(rows)), str(answered), *sums)


def plain(number: Decimal) -> str:
    """Return a decimal without exponent or needless zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
