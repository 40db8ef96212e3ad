"""A statement: what an account owes for a month, line by line, from the entries of the books.

Lines show prices before rounding; the rounding of calls is a line of its own. The total equals the billing table's. Rounding
of the statement, if a rule requires it, is added to the total and gives the amount due.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import add
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from domain.billing.billing_context import BillingContext
from domain.errors import LedgerError
from projections.queries.account_charges import draft_charges
from projections.queries.row_stream import ROWS_AT_ONCE
from projections.rows.entry import (
    ADJUSTMENT,
    CDR,
    DIFFERENCE,
    FEE,
    MINIMUM,
    NO_AMOUNTS,
    Entry,
    EntryAmounts,
    statement_roundings,
)
from projections.schema.indexes_and_views import entries_of_cdrs
from projections.schema.tables import BILLING, CDRS, CLOSINGS, ENTRIES, TARIFFS

CALLS, ROUNDING = "calls", "rounding"
ORDER = (CALLS, DIFFERENCE, ADJUSTMENT, FEE, MINIMUM, ROUNDING)
_ONE_BY_ONE = (ADJUSTMENT, FEE, MINIMUM)
# What tells apart the CDRs of a month where a statement does.
CDRS_BY = ("original_period", "day", "disposition", "level", "tariff")
NO_CDR = Entry(0, 0, CDR, "", "", "", "", "", "", "", "", *NO_AMOUNTS, "", "", 0, "", "")


class NoStatement(LedgerError):
    """The account has no entries in the books."""


class StatementSums(NamedTuple):
    """The sums of a line: numbers of calls, seconds, and amounts in millionths of a cent (SIP credits: of a credit)."""

    calls: int = 0
    answered: int = 0
    src_seconds: int = 0
    dest_seconds: int = 0
    billed_seconds: int = 0
    cost: int = 0
    sip_credits: int = 0
    price: int = 0

    def plus(self, other: "StatementSums") -> "StatementSums":
        """Return the sum of both."""
        return StatementSums(*map(add, self, other))


class StatementLine(NamedTuple):
    """A line: its kind (one of ``ORDER``), its day or an empty text, what it is about, and its sums.

    ``text`` is the disposition of calls, the reason of a difference or an adjustment, what the tariff calls a fee, or how a top-up to a minimum was calculated. ``original_period`` is the month that
    the line is about, if that is not the statement's.
    """

    kind: str
    day: str
    original_period: str
    text: str
    sums: StatementSums


class TariffVersionUsed(NamedTuple):
    """A version of the tariff that priced calls of the statement, when it was published (microseconds, UTC), and why."""

    version: str
    published_at: int
    reason: str


class MonthClosing(NamedTuple):
    """When the statement's month was closed (microseconds, UTC), and by which operator."""

    at: int
    by: str


class Heading(NamedTuple):
    """The account and month of a statement, which is a draft until the month is ``closed``.

    ``position`` is the position of the log that it shows: once the month is closed, permanently that of the closing.
    """

    account: str
    period: str
    position: int
    closed: MonthClosing | None


class Statement(NamedTuple):
    """A statement; ``roundings`` maps ways of rounding, such as ``half-up:2``, to the amounts that they add."""

    heading: Heading
    lines: list[StatementLine]
    total: StatementSums
    roundings: dict[str, int]
    tariffs: list[TariffVersionUsed]

    @property
    def due(self) -> int:
        """The amount due, in millionths of a cent."""
        return self.total.price + sum(self.roundings.values())


class StatementBuilder:
    """Sums up the entries of one account and month, one by one."""

    def __init__(self) -> None:
        """Start without entries."""
        self._lines: dict[tuple[int, str, str, str, int], StatementSums] = {}
        self._levels: dict[str, int] = {}
        self.tariffs: set[str] = set()
        self.total = StatementSums()

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        sums = _sums(entry)
        self.total = self.total.plus(sums)
        self._add_line(entry, sums._replace(price=entry.price - entry.rounding))
        self._levels[entry.level] = self._levels.get(entry.level, 0) + entry.price
        if entry.tariff:
            self.tariffs.add(entry.tariff)

    def _add_line(self, entry: Entry, sums: StatementSums) -> None:
        late = entry.original_period if entry.original_period != entry.period else ""
        if entry.kind == CDR:
            key = (ORDER.index(CALLS), entry.day, late, entry.disposition, 0)
        elif entry.kind in _ONE_BY_ONE:
            key = (ORDER.index(entry.kind), entry.day, late, entry.reason, entry.position)
        else:
            key = (ORDER.index(DIFFERENCE), "", entry.original_period, entry.reason, 0)
        self._lines[key] = self._lines.get(key, StatementSums()).plus(sums)

    def lines(self) -> Iterator[StatementLine]:
        """Yield the lines in order; their sums add up to the total."""
        priced = 0
        for (kind, day, original_period, text, _), sums in sorted(self._lines.items()):
            priced += sums.price
            yield StatementLine(ORDER[kind], day, original_period, text, sums)
        if rounded := self.total.price - priced:
            yield StatementLine(ROUNDING, "", "", "rounding of each call", StatementSums(price=rounded))

    def roundings(self) -> dict[str, int]:
        """Return the amounts that rounding the statement adds, by the way of rounding, if they are not 0."""
        return {level: added for level, added in statement_roundings(self._levels).items() if added}


def _sums(entry: Entry) -> StatementSums:
    return StatementSums(
        entry.calls,
        entry.answered,
        entry.src_seconds,
        entry.dest_seconds,
        entry.billed_seconds,
        entry.cost,
        entry.sip_credits,
        entry.price,
    )


def build_statement(heading: Heading, entries: Iterable[Entry], published: Iterable[TariffVersionUsed]) -> Statement:
    """Return a statement from the entries of its account and month; ``published`` are all versions of the tariff."""
    summing = StatementBuilder()
    for entry in entries:
        summing.add(entry)
    used = [each for each in published if each.version in summing.tariffs]
    return Statement(heading, list(summing.lines()), summing.total, summing.roundings(), used)


def load_statement(
    connection: Connection, account: str, period: str, position: int, books: BillingContext
) -> Statement:
    """Return the statement of an account for a month ``YYYY-MM``, at the position of the read models.

    ``books`` are those of that position. While the month is open, its fee and its top-up to a minimum are drafts. Raises NoStatement if the account has no entry in any month.
    """
    heading = load_heading(connection, account, period, position)
    drafts = draft_charges(connection, books, account, period)
    found = build_statement(heading, chain(_entries(connection, account, period), drafts), _published(connection))
    if not found.lines and not _is_known(connection, account):
        msg = (
            f"there is no account {account!r} in the books: `tringledger export billing` lists those that have entries"
        )
        raise NoStatement(msg)
    return found


def load_heading(connection: Connection, account: str, period: str, position: int) -> Heading:
    """Return the heading of a statement, at the position of the read models."""
    return Heading(account, period, *(_closing(connection, period) or (position, None)))


def count_calls(connection: Connection, account: str, period: str) -> int:
    """Return how many calls are billed to an account in a month, as billing has it: those are summed up for a statement."""
    calls = select(BILLING.c.calls).where(BILLING.c.account == account, BILLING.c.period == period)
    return connection.execute(calls).scalar() or 0


def _closing(connection: Connection, period: str) -> tuple[int, MonthClosing] | None:
    """Return the position and the closing of a month, which may be a later month's; None while the month is open."""
    wanted = select(CLOSINGS.c.position, CLOSINGS.c.closed_at, CLOSINGS.c.closed_by).where(CLOSINGS.c.period >= period)
    row = connection.execute(wanted.order_by(CLOSINGS.c.position).limit(1)).first()
    return (row.position, MonthClosing(row.closed_at, row.closed_by)) if row else None


def _entries(connection: Connection, account: str, period: str) -> Iterator[Entry]:
    """Yield the account's postings of the month, and its CDRs: those that go to the same lines are summed up by the database."""
    cdrs = entries_of_cdrs().where(CDRS.c.account == account, CDRS.c.period == period).subquery()
    by = [cdrs.c[name] for name in CDRS_BY]
    summed = select(*by, *(func.sum(cdrs.c[name]) for name in EntryAmounts._fields))
    for row in connection.execute(summed.group_by(*by)):
        amounts = EntryAmounts(*map(int, row[len(CDRS_BY) :]))
        texts = dict(zip(CDRS_BY, row, strict=False))
        yield NO_CDR._replace(account=account, period=period, **texts, **amounts._asdict())
    postings = select(ENTRIES).where(ENTRIES.c.account == account, ENTRIES.c.period == period, ENTRIES.c.kind != CDR)
    with connection.execute(postings.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
        yield from (Entry(*row) for row in rows)


def _published(connection: Connection) -> list[TariffVersionUsed]:
    versions = select(TARIFFS.c.version, TARIFFS.c.published_at, TARIFFS.c.reason).order_by(TARIFFS.c.version)
    return [TariffVersionUsed(str(version), at, reason) for version, at, reason in connection.execute(versions)]


def _is_known(connection: Connection, account: str) -> bool:
    return (
        connection.execute(select(ENTRIES.c.account).where(ENTRIES.c.account == account).limit(1)).first() is not None
    )


def billed_calls(connection: Connection, account: str, period: str) -> set[str]:
    """Return the ids of the calls that have an entry in the month of an account."""
    wanted = select(ENTRIES.c.call_id).where(ENTRIES.c.account == account, ENTRIES.c.period == period)
    return {call_id for (call_id,) in connection.execute(wanted) if call_id}
