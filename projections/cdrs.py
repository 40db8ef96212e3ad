"""The read model ``cdrs``, the ledger proper: one row per call that has its CDR (SPEC 7)."""

from domain import times
from domain.call import Call
from domain.call_notice import Numbers


def cost(numbers: Numbers) -> int:
    """Return what TringMe charges for both legs, in millionths of a US cent."""
    return (numbers[2] or 0) + (numbers[3] or 0)


def sip_credits(numbers: Numbers) -> int:
    """Return what TringMe charges for both legs, in millionths of a SIP credit."""
    return (numbers[4] or 0) + (numbers[5] or 0)


def row(call: Call, timezone: str) -> tuple[object, ...] | None:
    """Return the call's CDR as a row of the table, in the billing time zone, or None while the call has none.

    Without a tariff the account is the tag, the price is the cost, and the billed seconds are the destination leg's.
    """
    cdr = call.cdr
    if cdr is None:
        return None
    tag, src = call.line
    day = times.day(cdr.at, timezone)
    price = cost(cdr.numbers)
    return (
        call.id,
        tag,
        cdr.src if src is None else src,
        call.ordinal,
        call.disposition,
        call.status,
        call.head.first_at,
        call.answered_at,
        cdr.at,
        *cdr.numbers,
        price,
        sip_credits(cdr.numbers),
        tag,
        "",
        cdr.numbers[1],
        price,
        0,
        day[:7],
        cdr.position,
        call.flags,
        day,
    )
