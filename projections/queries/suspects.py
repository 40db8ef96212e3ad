"""Suspects (SPEC 9.7): calls that equal an earlier call of their line, and runs of them, found by a query.

A platform that sends a day again makes calls that nobody can tell from real ones by rule. They are recorded and billed; this
shows them. Voided calls and settled ones are neither suspects nor twins.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, not_, select

from domain import times
from domain.calls.call import SUSPECT, VOIDED
from domain.calls.correlation import BY_TAG
from domain.errors import CommandRejected
from domain.ledger import Ledger
from domain.months import Month
from projections.queries.suspect_runs import RunFinder, TwinPair
from projections.schema.tables import CDRS, RESOLUTIONS

_NUMBERS = (
    CDRS.c.src_duration,
    CDRS.c.dest_duration,
    CDRS.c.src_charge,
    CDRS.c.dest_charge,
    CDRS.c.src_sip_charge,
    CDRS.c.dest_sip_charge,
)
_COLUMNS = (CDRS.c.call_id, CDRS.c.position, CDRS.c.cdr_at, CDRS.c.tag, CDRS.c.src, CDRS.c.cost, CDRS.c.sip_credits)

RECENT_DAYS = 31
# The search among so many takes less than a second, in the usual case much less.
RECENT_CALLS_MAX = 50_000
COUNTED_AGAIN = 60 * times.SECOND


class SuspectRange(NamedTuple):
    """The suspects that are looked for: those received in a span (microseconds, UTC, the end not), or posted to months.

    ``after`` and ``through`` are months ``YYYY-MM``: the calls posted later than the one and up to the other.
    """

    since: int = 0
    until: int = times.LAST
    after: str = ""
    through: str = "9999-99"


class Suspect(NamedTuple):
    """A suspect and its twin; the money at stake is its own, in millionths of a US cent and of a SIP credit."""

    call_id: str
    position: int
    cdr_at: int
    tag: str
    src: str
    cost: int
    sip_credits: int
    twin: str
    twin_position: int
    twin_at: int


class SuspectRun(NamedTuple):
    """A stretch of calls that equals an earlier one: its suspects in order of time."""

    suspects: list[Suspect]

    @property
    def shift(self) -> int:
        """How far the first twin lies before the first suspect, in microseconds."""
        return self.suspects[0].cdr_at - self.suspects[0].twin_at

    @property
    def cost(self) -> int:
        """The money at stake, in millionths of a US cent."""
        return sum(each.cost for each in self.suspects)

    @property
    def sip_credits(self) -> int:
        """The SIP credits at stake, in millionths."""
        return sum(each.sip_credits for each in self.suspects)


class FoundSuspects(NamedTuple):
    """The runs, and the suspects that are in none of them, each in order of time."""

    runs: list[SuspectRun]
    alone: list[Suspect]


def find_suspects(ledger: Ledger, connection: Connection, wanted: SuspectRange) -> FoundSuspects:
    """Return the suspects of a range; their twins may lie before it."""
    window = ledger.options.suspect_days * times.DAY
    rows = _rows(connection, wanted, window, by_tag=ledger.correlation == BY_TAG)
    keys = [row.key for row in rows]
    finder = RunFinder([row.cdr_at for row in rows], keys, window, ledger.options.window.grace)
    since, until, after, through = wanted
    suspects = finder.suspects([since <= row.cdr_at < until and after < row.period <= through for row in rows])
    runs = finder.runs(suspects)
    in_runs = {pair.suspect for run in runs for pair in run}
    return FoundSuspects(
        [SuspectRun([_suspect(rows, pair) for pair in run]) for run in runs],
        [_suspect(rows, pair) for pair in suspects if pair.suspect not in in_runs],
    )


def month_range(month: str) -> SuspectRange:
    """Return the range of the calls posted to a month ``YYYY-MM``."""
    first_day = Month(month).first_day
    before = "" if first_day == date.min else str(Month.of_day((first_day - timedelta(days=1)).isoformat()))
    return SuspectRange(after=before, through=month)


def find_run(ledger: Ledger, connection: Connection, position: int) -> SuspectRun:
    """Return the run that has the CDR at a position; raises CommandRejected if none has it."""
    for run in find_suspects(ledger, connection, SuspectRange()).runs:
        if any(each.position == position for each in run.suspects):
            return run
    msg = f"no run has a suspect at position {position}; expected one that `tringledger exception suspects` shows"
    raise CommandRejected(msg)


def recent_suspects(ledger: Ledger, connection: Connection, now: int) -> FoundSuspects | None:
    """Return the suspects that came within RECENT_DAYS, or None where looking among so many calls would take long."""
    since = now - RECENT_DAYS * times.DAY
    reached = CDRS.c.cdr_at >= since - ledger.options.suspect_days * times.DAY
    one_too_many = select(CDRS.c.cdr_at).where(reached).offset(RECENT_CALLS_MAX).limit(1)
    if connection.execute(one_too_many).first():
        return None
    return find_suspects(ledger, connection, SuspectRange(since))


class RunCounter:
    """Counts recent runs, and keeps the count for a minute: whoever asks a service every second costs it little."""

    def __init__(self) -> None:
        """Begin without a count."""
        self._counted_at: int | None = None
        self._runs: int | None = None

    def __call__(self, ledger: Ledger, connection: Connection, now: int) -> int | None:
        """Return how many runs came recently; None where looking would take long."""
        if self._counted_at is None or not 0 <= now - self._counted_at < COUNTED_AGAIN:
            found = recent_suspects(ledger, connection, now)
            self._runs, self._counted_at = None if found is None else len(found.runs), now
        return self._runs


def too_many_calls(ledger: Ledger) -> str:
    """Return, as a sentence, why ``recent_suspects`` did not look."""
    days = RECENT_DAYS + ledger.options.suspect_days
    return f"suspects are not looked for among more than {RECENT_CALLS_MAX:,} calls, and the last {days} days have more"


def _rows(connection: Connection, wanted: SuspectRange, window: int, *, by_tag: bool) -> list[Row[Any]]:
    """Return the calls that equal another one, in order of time, with the least id of those it equals as their key.

    A call that was moved after its month was closed has two rows of one CDR: it is one call.
    """
    line = (CDRS.c.tag,) if by_tag else (CDRS.c.tag, CDRS.c.src)
    equal = (*line, CDRS.c.status, *_NUMBERS)
    # A call is in one row alone: its id, not its position, which another call may have had before a month was closed.
    first = func.min(CDRS.c.call_id).over(partition_by=equal).label("key")
    count = func.count().over(partition_by=equal).label("equals")
    inner = select(*_COLUMNS, CDRS.c.period, first, count).where(_may_count(), _in_span(wanted, window)).subquery()
    columns = [column for column in inner.columns if column.name != "equals"]
    query: Select[Any] = select(*columns).where(inner.c.equals > 1).order_by(inner.c.cdr_at, inner.c.position)
    # All rows are fetched at once: there can be some hundred thousand, and one by one takes three times as long.
    return list(_each_cdr_once(connection.execute(query).all()))


def _each_cdr_once(rows: Iterable[Row[Any]]) -> Iterator[Row[Any]]:
    last = 0
    for row in rows:
        if row.position != last:
            yield row
        last = row.position


def _may_count() -> ColumnElement[bool]:
    """Return the condition of calls that have seconds or money, and are neither voided nor settled."""
    settled = exists().where(RESOLUTIONS.c.flag == SUSPECT, RESOLUTIONS.c.position == CDRS.c.position)
    seconds_or_money = sum((func.coalesce(column, 0) for column in _NUMBERS[1:]), func.coalesce(_NUMBERS[0], 0)) > 0
    return and_(seconds_or_money, not_(CDRS.c.flags.contains(VOIDED)), not_(settled))


def _in_span(wanted: SuspectRange, window: int) -> ColumnElement[bool]:
    """Return the condition of the calls of the range and of the window before it."""
    first = wanted.since
    if wanted.after or wanted.through != SuspectRange().through:
        earliest = select(func.min(CDRS.c.cdr_at)).where(CDRS.c.period > wanted.after, CDRS.c.period <= wanted.through)
        start = func.coalesce(earliest.scalar_subquery(), 0) - window
        return and_(CDRS.c.cdr_at >= start, CDRS.c.period <= wanted.through)
    return and_(CDRS.c.cdr_at >= max(0, first - window), CDRS.c.cdr_at < wanted.until)


def _suspect(rows: list[Row[Any]], pair: TwinPair) -> Suspect:
    twin = rows[pair.twin]
    own: tuple[Any, ...] = rows[pair.suspect][: len(_COLUMNS)]
    return Suspect._make((*own, twin.call_id, twin.position, twin.cdr_at))
