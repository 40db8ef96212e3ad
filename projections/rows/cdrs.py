"""The rows of the read model ``cdrs``, the ledger proper: one per call that has its CDR (SPEC 7)."""

import msgspec

from domain.calls.call import Call
from domain.notices.line_number import stored_src
from projections.rows.entry import ANSWERED, EntryAmounts
from projections.rows.posted_amounts import BilledAmount


class CdrRow(msgspec.Struct, frozen=True, gc=False):
    """A call's CDR and its price; times are microseconds, UTC, durations seconds, and amounts millionths.

    ``period`` and ``day`` are those to which it is posted, ``original_period`` is the month in which it was received.
    ``position`` is that of the CDR's event.
    """

    call_id: str
    tag: str
    src: str
    ordinal: int
    disposition: str
    status: str
    opened_at: int
    answered_at: int | None
    cdr_at: int
    src_duration: int | None
    dest_duration: int | None
    src_charge: int | None
    dest_charge: int | None
    src_sip_charge: int | None
    dest_sip_charge: int | None
    cost: int
    sip_credits: int
    account: str
    tariff: str
    billed_seconds: int | None
    price: int
    margin: int
    period: str
    position: int
    flags: str
    day: str
    original_period: str
    rounding: int
    rule: int
    level: str


def cdr_row(call: Call, due: BilledAmount, line_rule: int, dates: tuple[str, str, str]) -> CdrRow:
    """Return the row of a call that has its CDR and comes to ``due``, given the month and day to which it is posted, and its own month."""
    period, day, original_period = dates
    cdr = call.cdr
    assert cdr
    tag, src = call.line
    rated, charges = due.rated, cdr.charges
    cost = charges.cost
    # By position, in the order of the fields: names would cost a rebuild several percent of its time.
    return CdrRow(
        call.id,
        tag,
        stored_src(cdr.src, line_rule) if src is None else src,
        call.ordinal,
        due.disposition,
        call.status,
        call.head.first_at,
        call.answered_at,
        cdr.received_at,
        *charges,
        cost,
        charges.sip_credits,
        rated.account,
        rated.tariff,
        rated.billed_seconds,
        rated.price,
        rated.price - cost,
        period,
        cdr.position,
        call.flags,
        day,
        original_period,
        rated.rounding,
        rated.rule,
        rated.level,
    )


def amounts_of_cdr(row: CdrRow) -> EntryAmounts:
    """Return what a row adds to billing."""
    return EntryAmounts(
        1,
        int(row.disposition == ANSWERED),
        row.src_duration or 0,
        row.dest_duration or 0,
        row.cost,
        row.sip_credits,
        row.billed_seconds or 0,
        row.price,
        row.margin,
        row.rounding,
    )
