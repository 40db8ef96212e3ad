"""What customers' statements are made of: the entries of a month, summed by account and by what a line shows (SPEC 9.13)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, case, func, select

from projections.queries.row_stream import ROWS_AT_ONCE
from projections.rows.entry import ADJUSTMENT, CDR, DIFFERENCE, FEE, MINIMUM, Entry, statement_roundings
from projections.schema.tables import CDRS, CLOSINGS, ENTRIES

# Their reasons are the operators' or explain a sum; those of all other kinds are names that a tariff gives them, for customers to see.
_INTERNAL = (CDR, DIFFERENCE, ADJUSTMENT, MINIMUM)
_ORDER = (CDR, DIFFERENCE, ADJUSTMENT, FEE, MINIMUM)
_OF_ENTRY = ("account", "kind", "day", "original_period", "reason", "level", "tariff", "rule")
_SUMMED = ("calls", "billed_seconds", "sip_credits", "price")


class CustomerLine(NamedTuple):
    """A line of a customer's statement: ``kind`` is that of its entries, ``original_period`` an earlier month or empty.

    ``sip_credits`` (millionths) are those that have a price; ``price`` is in millionths of a US cent.
    """

    kind: str
    day: str
    original_period: str
    text: str
    calls: int
    billed_seconds: int
    sip_credits: int
    price: int


class CustomerMonth(NamedTuple):
    """An account's month: its lines, and ``exact``, what the account owes with what rounding its total adds."""

    account: str
    period: str
    lines: list[CustomerLine]
    exact: int


class BilledCall(NamedTuple):
    """A call in the list of calls: when its CDR came (microseconds, UTC), its number, seconds and price."""

    at: int
    tag: str
    src: str
    billed_seconds: int
    price: int


PricesCredits = Callable[[str, int, str], bool]


def load_customer_months(
    connection: Connection,
    period: str,
    prices_credits: PricesCredits,
    account: str | None = None,
    drafts: Iterable[Entry] = (),
) -> Iterator[CustomerMonth]:
    """Yield the month of each account that has entries in it, by account, or of one account.

    ``prices_credits`` tells whether a rule of a tariff's version has a price for SIP credits on a day. ``drafts`` are entries that
    closing the month would add.
    """
    c = ENTRIES.c
    text = case((c.kind.in_(_INTERNAL), ""), else_=c.reason).label("text")
    by = (c.account, c.kind, c.day, c.original_period, text, c.level, c.tariff, c.rule)
    wanted = select(*by, *(func.sum(c[name]).label(name) for name in _SUMMED)).where(c.period == period).group_by(*by)
    if account is not None:
        wanted = wanted.where(c.account == account)
    charged = [
        (*(getattr(entry, name) for name in _OF_ENTRY), *(getattr(entry, name) for name in _SUMMED)) for entry in drafts
    ]
    rows = sorted([*map(tuple, connection.execute(wanted)), *charged], key=itemgetter(slice(5)))
    for found, group in groupby(rows, key=itemgetter(0)):
        yield _month(found, period, list(group), prices_credits)


def _month(account: str, period: str, rows: Sequence[object], prices_credits: PricesCredits) -> CustomerMonth:
    lines: dict[tuple[str, str, str, str], CustomerLine] = {}
    levels: dict[str, int] = {}
    for row in rows:
        _, kind, day, original_period, text, level, tariff, rule, calls, seconds, credits_, price = tuple(row)  # type: ignore[arg-type, var-annotated]
        late = original_period if original_period != period else ""
        key = (kind, "" if kind == DIFFERENCE else day, late, "" if kind in _INTERNAL else text)
        line = lines.get(key, CustomerLine(*key, 0, 0, 0, 0))
        priced = int(credits_) if kind == CDR and prices_credits(tariff, rule, day) else 0
        lines[key] = CustomerLine(
            *key,
            line.calls + int(calls) if kind == CDR else 0,
            line.billed_seconds + int(seconds) if kind == CDR else 0,
            line.sip_credits + priced,
            line.price + int(price),
        )
        levels[level] = levels.get(level, 0) + int(price)
    exact = sum(levels.values()) + sum(statement_roundings(levels).values())
    return CustomerMonth(account, period, [lines[key] for key in sorted(lines, key=_order)], exact)


def _order(key: tuple[str, str, str, str]) -> tuple[int, str, str, str]:
    kind, day, original_period, text = key
    return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), original_period, day, text)


def load_usual_dues(connection: Connection, months: Sequence[str]) -> dict[str, list[int]]:
    """Return the sums of prices that each account had in these months, where it had entries (millionths of a cent)."""
    c = ENTRIES.c
    wanted = select(c.account, c.period, func.sum(c.price)).where(c.period.in_(months)).group_by(c.account, c.period)
    found: dict[str, list[int]] = {}
    for account, _, price in connection.execute(wanted):
        found.setdefault(account, []).append(int(price))
    return found


def load_billed_calls(connection: Connection, account: str, period: str) -> Iterator[BilledCall]:
    """Yield the calls that an account's month bills, in the order of their CDRs."""
    c = CDRS.c
    wanted = select(c.cdr_at, c.tag, c.src, c.billed_seconds, c.price).where(c.account == account, c.period == period)
    ordered = wanted.order_by(c.cdr_at, c.position, c.call_id).execution_options(yield_per=ROWS_AT_ONCE)
    with connection.execute(ordered) as rows:
        for at, tag, src, seconds, price in rows:
            yield BilledCall(at, tag, src, int(seconds or 0), int(price))


def is_month_closed(connection: Connection, period: str) -> bool:
    """Whether a month is closed in the read models."""
    return connection.execute(select(CLOSINGS.c.period).where(CLOSINGS.c.period >= period).limit(1)).first() is not None
