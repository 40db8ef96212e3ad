"""The model's money: the CDR export and the bills, as the texts that go out.

Decimals hold what the wire may carry and its sums exactly: 15 digits, and room for 10^13 rows.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.support.model.call import Call, Notice

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)
SUMS = (
    ("src_seconds", "src_duration"),
    ("dest_seconds", "dest_duration"),
    ("cost", "cost"),
    ("sip_credits", "sip_credits"),
    ("billed_seconds", "billed_seconds"),
    ("price", "price"),
    ("margin", "margin"),
)


# Section 8


def instant(micros: int | None) -> str:
    """ISO 8601 in UTC with `Z` and microseconds, empty if none."""
    if micros is None:
        return ""
    moment = EPOCH + timedelta(microseconds=micros)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def day_of(micros: int, zone: str) -> str:
    """The day in the billing time zone; its first seven characters are the month."""
    return (EPOCH + timedelta(microseconds=micros)).astimezone(ZoneInfo(zone)).date().isoformat()


def plain(amount: Decimal | None) -> str:
    """A decimal without exponent or needless zeros, empty if absent."""
    if amount is None:
        return ""
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0')}".removesuffix(".")


# Section 7: cdrs


def total(cdr: Notice, *names: str) -> Decimal:
    """The sum of charges of one unit; absent ones are nothing."""
    return sum((cdr.amount(name) or ZERO for name in names), ZERO)


def cdr_row(call: Call, flags: str, zone: str) -> dict[str, str]:
    """The export's row of a call that has its CDR, without a tariff."""
    event = call.cdr_event
    if event is None:
        message = f"call {call.call_id} has no CDR"
        raise ValueError(message)
    cdr = event.notice
    tag, src = call.line
    cost = total(cdr, "srccharge", "destcharge")
    price = cost
    return {
        "call_id": call.call_id,
        "tag": tag,
        "src": cdr.get("src") if src is None else src,
        "ordinal": str(call.ordinal),
        "disposition": call.disposition,
        "status": call.status,
        "opened_at": instant(call.began),
        "answered_at": instant(call.answered_at),
        "cdr_at": instant(cdr.received_at),
        "src_duration": plain(cdr.amount("srcduration")),
        "dest_duration": plain(cdr.amount("destduration")),
        "src_charge": plain(cdr.amount("srccharge")),
        "dest_charge": plain(cdr.amount("destcharge")),
        "src_sip_charge": plain(cdr.amount("srcsipcharge")),
        "dest_sip_charge": plain(cdr.amount("destsipcharge")),
        "cost": plain(cost),
        "sip_credits": plain(total(cdr, "srcsipcharge", "destsipcharge")),
        "account": tag,
        "tariff": "",
        "billed_seconds": plain(cdr.amount("destduration")),
        "price": plain(price),
        "margin": plain(price - cost),
        "period": day_of(cdr.received_at, zone)[:7],
        "position": str(event.position),
        "flags": flags,
    }


# Section 7: billing

Bill = tuple[str, str, dict[str, str]]


def bills(column: str, rows: Iterable[Bill]) -> list[dict[str, str]]:
    """One row per account and period (or day), given each CDR row with its account and period."""
    listed = list(rows)
    heads = sorted({(account, period) for account, period, _ in listed})
    return [
        {"account": account, column: period} | sums([row for a, p, row in listed if (a, p) == (account, period)])
        for account, period in heads
    ]


def sums(rows: list[dict[str, str]]) -> dict[str, str]:
    """The columns of a bill after its account and period."""
    answered = [row for row in rows if row["disposition"] == "ANSWERED"]
    counted = {"calls": str(len(rows)), "answered": str(len(answered))}
    return counted | {name: plain(added(rows, column)) for name, column in SUMS}


def added(rows: list[dict[str, str]], column: str) -> Decimal:
    """The sum of a column; empty is nothing."""
    return sum((Decimal(row[column] or "0") for row in rows), ZERO)
