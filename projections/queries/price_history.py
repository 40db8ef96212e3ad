"""Why a call costs what it costs: all prices that it had, the event that caused each, and the steps of its calculation.

The steps are reported by the code that rates, and the postings by the code that posts: nothing is calculated twice.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from domain.billing.billing_context import BillingContext, Closing
from domain.billing.rating import PriceStep, PublishedTariff, RatedCdr, price_steps, versions_before
from domain.billing.tariff import Rule, Tariff
from domain.calls.call import Call
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import OperatorEvent, TariffPublished
from domain.events.streams import TARIFFS
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.notices.call_notice import LineKey
from projections.rows import billed_amounts as bills
from projections.rows.billed_amounts import BillingState
from projections.rows.entry import Entry
from projections.rows.projector import read_stream

AFTER, NOT_YET = "published after the CDR", "not in effect yet at the CDR's time"
OTHER_TAG, OTHER_SRC = "its tag does not fit", "its src_prefix does not fit"

_HEADER = re.compile(r"""\s*\[\[?[\w\s."'-]+\]\]?\s*(#.*)?""")
_OF_THE_RULE = re.compile(r"\s*\[\[?\s*rules\s*\.")


Months = tuple[str, str]


class RejectedRule(NamedTuple):
    """A version of the tariff, or (if ``rule`` is not 0) a rule, that did not apply, and why."""

    version: int
    rule: int
    why: str


class TariffChoice(NamedTuple):
    """The version and rule that decided, if any, those that did not apply, and whether a rerating chose the version."""

    published: PublishedTariff | None
    rule: Rule | None
    passed: list[RejectedRule]
    is_rerated: bool


class PriceVersion(NamedTuple):
    """The price of a call after an event of its stream.

    ``event`` is its topic without the prefix, ``operator_event`` the event itself if an operator caused it. ``rated`` and
    ``choice`` are None if the call had no CDR then. ``entered`` are the month to which the call's row of ``cdrs`` is posted and its own month, if
    the event changed the row; ``postings`` are what it posted instead. ``closing`` is the closing that moved money to a
    later month than its own.
    """

    position: int
    event: str
    operator_event: OperatorEvent | None
    rated: RatedCdr | None
    choice: TariffChoice | None
    steps: list[PriceStep]
    is_void: bool
    entered: Months | None
    postings: list[Entry]
    closing: Closing | None


class PriceHistory(NamedTuple):
    """A call, its prices in the order of the log, and the text of each rule (version, number) that decided."""

    call_id: str
    line: LineKey
    ordinal: int
    pricings: list[PriceVersion]
    rules: dict[tuple[int, int], str]


def price_history(ledger: Ledger, call_id: UUID, until: int) -> PriceHistory | None:
    """Return the prices of a call up to a position, or None if the log has no such call there.

    Raises ProjectionStopped, StoreUnavailable.
    """
    rows = ledger.history(call_id, until)
    if not rows or not is_of_call(rows[0]):
        return None
    books = ledger.billing_context(until)
    stream = read_stream(rows, ledger.events_at)
    pricings = list(_pricings(rows, bills.billing_states(stream, books), books))
    chosen = [each.choice for each in pricings if each.choice]
    line, ordinal = stream.line_and_ordinal()
    return PriceHistory(stream.id, line, ordinal, pricings, rule_texts(ledger, chosen))


def _pricings(rows: list[LogRow], standings: Iterator[BillingState], books: BillingContext) -> Iterator[PriceVersion]:
    """Yield the price after each event that changed it or its postings."""
    due, row = None, None
    for event, standing in zip(rows, standings, strict=True):
        if standing.due != due or standing.row != row or standing.postings:
            months = (standing.row.period, standing.row.original_period) if standing.row else None
            yield _pricing(event, standing, books, months if standing.row != row else None)
        due, row = standing.due, standing.row


def _pricing(event: LogRow, standing: BillingState, books: BillingContext, entered: Months | None) -> PriceVersion:
    call, due, choice = standing.call, standing.due, None
    found: list[PriceStep] = []
    if due and call.cdr:
        choice = _choice(call, due.rated, books)
        tariff = choice.published.tariff if choice.published else None
        found = price_steps(tariff, due.rated.rule, call.cdr.received_at, call.cdr.charges)
    postings = standing.postings
    months = [entered] if entered else [(posting.period, posting.original_period) for posting in postings]
    return PriceVersion(
        event.position,
        event.topic.partition(":")[2],
        standing.operator_event,
        due.rated if due else None,
        choice,
        found,
        call.voided,
        entered,
        postings,
        next((_closing_of(original, books) for period, original in months if period != original), None),
    )


def _closing_of(period: str, books: BillingContext) -> Closing:
    return next(closing for closing in books.closings if closing.period >= period)


def _choice(call: Call, rated: RatedCdr, books: BillingContext) -> TariffChoice:
    cdr = call.cdr
    assert cdr
    tariff = books.tariff_for(cdr.position, cdr.received_at, call.rerated)
    passed = []
    for each in reversed(books.tariffs):
        if each.tariff is tariff or call.rerated:
            break
        passed.append(RejectedRule(each.tariff.version, 0, AFTER if each.position >= cdr.position else NOT_YET))
    if tariff is None:
        return TariffChoice(None, None, passed, is_rerated=False)
    tag, src = call.line
    line = (tag, cdr.src if src is None else src)
    for version in (tariff, *versions_before(books.tariffs, tariff, *line)):
        decides = str(version.version) == rated.tariff
        rules = version.rules[: rated.rule - 1] if decides else version.rules
        passed += [RejectedRule(version.version, rule.number, _misfit(rule, tag, cdr.received_at)) for rule in rules]
        if decides:
            return TariffChoice(_published(books, version), version.rules[rated.rule - 1], passed, bool(call.rerated))
    return TariffChoice(_published(books, tariff), None, passed, bool(call.rerated))


def _published(books: BillingContext, tariff: Tariff) -> PublishedTariff:
    return next(each for each in books.tariffs if each.tariff is tariff)


def _misfit(rule: Rule, tag: str, at: int) -> str:
    if rule.since > at:
        return NOT_YET
    if not rule.pattern.fullmatch(tag):
        return OTHER_TAG
    assert rule.src_prefix
    return OTHER_SRC


def rule_texts(ledger: Ledger, choices: list[TariffChoice]) -> dict[tuple[int, int], str]:
    """Return the texts of the rules that decided, from the published files."""
    wanted = {
        (each.published.position, each.rule.line): (each.published.tariff.version, each.rule.number)
        for each in choices
        if each.published and each.rule
    }
    operator_events = {row.position: decode_operator_event(row.topic, row.state) for row in ledger.history(TARIFFS)}
    found = {}
    for (position, line), key in sorted(wanted.items()):
        operator_event = operator_events[position]
        assert isinstance(operator_event, TariffPublished)
        found[key] = _table(operator_event.text, line)
    return found


def _table(text: str, first: int) -> str:
    """Return a table of a TOML text: from its header, at a line counted from 1, to the next one that is not within it."""
    lines = text.split("\n")[first - 1 :]
    others = (
        number
        for number, line in enumerate(lines)
        if number and _HEADER.fullmatch(line) and not _OF_THE_RULE.match(line)
    )
    end = next(others, len(lines))
    return "\n".join(lines[:end]).strip()
