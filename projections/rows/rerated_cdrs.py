"""A CDR's row after reratings of its call, from the row before them: what a rerating changes is the price alone, as a rule.

So it takes neither the call's other events nor another fold. Where more may change, the call is folded as a whole instead.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from domain import times
from domain.billing.billing_context import BillingContext
from domain.calls.call import VOIDED
from domain.events.codec import UnknownEventShape, decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import CallRerated
from domain.notices.call_notice import Charges
from projections.rows.billed_amounts import posting_dates
from projections.rows.cdrs import CdrRow
from projections.rows.operator_events import OperatorEventRow, correction_row

PRICE_COLUMNS = ("tariff", "billed_seconds", "price", "margin", "rounding", "rule", "level")


def rerate_cdr_row(
    row: CdrRow, events: Sequence[LogRow], books: BillingContext
) -> tuple[CdrRow, list[OperatorEventRow]] | None:
    """Return a call's row after reratings, which differs in PRICE_COLUMNS at most, and the rows of these events.

    ``row`` is the one before them, and no month was closed during the call's life. None where the row alone does not tell:
    the call is voided, it moves to another account or day, its number is not the one that was delivered, or an event cannot be read.
    """
    if VOIDED in row.flags or "@" in row.src:
        return None
    corrections = []
    for each in events:
        try:
            event = decode_operator_event(each.topic, each.state)
        except UnknownEventShape:
            return None
        if not isinstance(event, CallRerated):
            return None
        rerated = _rerate(row, each.position, event.tariff, books)
        if rerated is None:
            return None
        moved = rerated.price - row.price
        corrections.append(correction_row(each.position, event, row.account, row.call_id, moved))
        row = rerated
    return row, corrections


def _rerate(row: CdrRow, position: int, version: int, books: BillingContext) -> CdrRow | None:
    charges = Charges(
        row.src_duration, row.dest_duration, row.src_charge, row.dest_charge, row.src_sip_charge, row.dest_sip_charge
    )
    rated = books.rate_cdr((row.tag, row.src), row.position, row.cdr_at, charges, version)
    dates = posting_dates(times.day(row.cdr_at, rated.timezone or books.timezone), books, position)
    if (rated.account, *dates) != (row.account, row.period, row.day, row.original_period):
        return None
    return replace(
        row,
        tariff=rated.tariff,
        billed_seconds=rated.billed_seconds,
        price=rated.price,
        margin=rated.price - row.cost,
        rounding=rated.rounding,
        rule=rated.rule,
        level=rated.level,
    )
