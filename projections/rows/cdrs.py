"""The read model ``cdrs``, the ledger proper: one row per call that has its CDR (SPEC 7)."""

from domain.billing.rating import RatedCdr
from domain.calls.call import Call

# Where the columns stand in a row that ``row`` makes.
PERIOD = 22
ORIGINAL_PERIOD = 26


def cdr_row(call: Call, rated: RatedCdr, period: str, day: str, original_period: str) -> tuple[object, ...]:
    """Return the CDR of a call that has one as a row of the table.

    ``period`` and ``day`` are those to which it is posted, ``original_period`` is the month in which it was received.
    """
    cdr = call.cdr
    assert cdr
    tag, src = call.line
    cost = cdr.charges.cost
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
        cost,
        cdr.charges.sip_credits,
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
