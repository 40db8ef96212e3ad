"""The read model ``cdrs``, the ledger proper: one row per call that has its CDR (SPEC 7)."""

from domain.billing.rating import RatedCdr
from domain.calls.call import Call
from domain.notices.call_notice import Charges

# Where the columns stand in a row that ``row`` makes.
PERIOD = 22
ORIGINAL_PERIOD = 26


def cost(numbers: Charges) -> int:
    """Return what TringMe charges for both legs, in millionths of a US cent."""
    return (numbers[2] or 0) + (numbers[3] or 0)


def sip_credits(numbers: Charges) -> int:
    """Return what TringMe charges for both legs, in millionths of a SIP credit."""
    return (numbers[4] or 0) + (numbers[5] or 0)


def cdr_row(call: Call, rated: RatedCdr, period: str, day: str, original_period: str) -> tuple[object, ...]:
    """Return the CDR of a call that has one as a row of the table.

    ``period`` and ``day`` are those to which it is posted, ``original_period`` is the month in which it was received.
    """
    cdr = call.cdr
    assert cdr
    tag, src = call.line
    costs = cost(cdr.charges)
    return (
        call.id,
        tag,
        cdr.src if src is None else src,
        call.ordinal,
        call.disposition,
        call.status,
        call.head.first_at,
        call.answered_at,
        cdr.received_at,
        *cdr.charges,
        costs,
        sip_credits(cdr.charges),
        rated.account,
        rated.tariff,
        rated.billed_seconds,
        rated.price,
        rated.price - costs,
        period,
        cdr.position,
        call.flags,
        day,
        original_period,
        rated.rounding,
        rated.rule,
        rated.level,
    )
