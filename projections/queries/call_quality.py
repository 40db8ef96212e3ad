"""ASR and ACD over time: attempts, answered calls and seconds for each hour, day or month of a span.

As in the metrics of an account's month (docs/reference/metrics.md) a call counts when its CDR came, and one without a CDR when it
began. Months are read from the rollup of CDRs where it can tell the selected ones apart, hours and days from an index.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import sub
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Subquery,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    text,
)

from projections.queries.conditions import columns_used, conditions, on_source
from projections.queries.counted_rows import counted_rows
from projections.queries.metrics import RATIO_PLACES, SECONDS_PLACES, quotient
from projections.queries.pattern_values import with_known_values
from projections.queries.selection import Selection
from projections.queries.time_steps import MONTH, TimeSpan, TimeStep
from projections.rows.entry import ANSWERED, DIFFERENCE
from projections.schema import rollups
from projections.schema.tables import CALLS, CDRS, CDRS_ROLLUP, POSTINGS

STEPS_AT_ONCE = 200
Counts = tuple[int, int, int]


class QualityStep(NamedTuple):
    """How the calls of a step went: ``dest_seconds`` are those of the destination legs."""

    step: TimeStep
    attempts: int
    answered: int
    dest_seconds: int

    @property
    def asr(self) -> str | None:
        """The answer-seizure ratio, answered calls of all attempts, to four decimals; None without an attempt."""
        return quotient(self.answered, self.attempts, RATIO_PLACES)

    @property
    def asr_percent(self) -> str | None:
        """The answer-seizure ratio in per cent, to two decimals."""
        return quotient(self.answered * 100, self.attempts, RATIO_PLACES - 2)

    @property
    def acd(self) -> str | None:
        """The average call duration in seconds, to two decimals; None without an answered call."""
        return quotient(self.dest_seconds, self.answered, SECONDS_PLACES)


def quality_steps(
    connection: Connection, selection: Selection, steps: Sequence[TimeStep], by: str, timezone: str
) -> list[QualityStep]:
    """Return the attempts, answered calls and seconds of each step; the steps follow each other without a gap."""
    if not steps:
        return []
    # Calls without a CDR may have texts that no CDR has.
    of_cdrs, of_calls = (with_known_values(connection, model, selection.whenever) for model in ("cdrs", "calls"))
    counted = _of_months(connection, of_cdrs, steps, timezone) if by == MONTH else None
    if counted is None:
        counted = _of_cdrs(connection, of_cdrs, steps, timezone)
    _add_waiting(connection, of_calls, steps, timezone, counted)
    firsts, span = [step.first for step in steps], TimeSpan(steps[0].first, steps[-1].after)
    for sign, at, answered, seconds in _besides(connection, of_cdrs, of_calls, span, timezone):
        place = bisect_right(firsts, at) - 1
        attempts, of_them, spoken = counted[place]
        counted[place] = (attempts + sign, of_them + sign * answered, spoken + sign * seconds)
    return [QualityStep(step, *counts) for step, counts in zip(steps, counted, strict=True)]


def reads_rollup(connection: Connection, selection: Selection, span: TimeSpan, timezone: str) -> bool:
    """Whether the months of a span are counted in the rollup, which is quick however many calls there are."""
    chosen = with_known_values(connection, "cdrs", selection.whenever)
    whole = structs.replace(chosen, since=span.since, until=span.until)
    return counted_rows("cdrs", whole, timezone).table is CDRS_ROLLUP


def together(steps: Sequence[QualityStep]) -> QualityStep:
    """Return all steps, of which there is at least one, as one."""
    span = TimeStep("", steps[0].step.first, steps[-1].step.after)
    return QualityStep(span, *(sum(counts) for counts in zip(*(each[1:] for each in steps), strict=True)))


def _of_months(
    connection: Connection, chosen: Selection, steps: Sequence[TimeStep], timezone: str
) -> list[Counts] | None:
    """Count the CDRs of whole months in the rollup; None where it cannot tell the selected ones apart."""
    whole = structs.replace(chosen, since=steps[0].first, until=steps[-1].after)
    source = counted_rows("cdrs", whole, timezone)
    if source.table is not CDRS_ROLLUP:
        return None
    table, month = source.table, source.table.c[rollups.MONTH]
    answered = func.sum(case((table.c.disposition == ANSWERED, table.c.rows), else_=0))
    totals = (source.rows, func.coalesce(answered, 0), func.coalesce(func.sum(table.c.dest_duration), 0))
    rows = connection.execute(select(month, *totals).where(*source.conditions).group_by(month))
    found = {name: (int(attempts), int(of_them), int(seconds)) for name, attempts, of_them, seconds in rows}
    return [found.get(step.name, (0, 0, 0)) for step in steps]


def _of_cdrs(connection: Connection, chosen: Selection, steps: Sequence[TimeStep], timezone: str) -> list[Counts]:
    """Count the CDRs of each step by their time, in an index."""
    where = conditions("cdrs", chosen, timezone)
    if chosen.account is not None and connection.dialect.name == "sqlite":
        # One index has all that is counted of an account, month by month: so it must know the months.
        where.append(CDRS.c.period.in_(select(CDRS_ROLLUP.c.period).where(CDRS_ROLLUP.c.account == chosen.account)))
    found: list[Counts] = []
    for start in range(0, len(steps), STEPS_AT_ONCE):
        found += _of_some(connection, where, steps[start : start + STEPS_AT_ONCE])
    return found


def _of_some(connection: Connection, where: list[ColumnElement[bool]], steps: Sequence[TimeStep]) -> Iterator[Counts]:
    # As a text, since expressions for each number would take as long as the counting.
    numbered = ", ".join(f"({number}, {each.first}, {each.after})" for number, each in enumerate(steps))
    names = (column("column1", Integer), column("column2", BigInteger), column("column3", BigInteger))
    step = text(f"VALUES {numbered}").columns(*names).subquery("step")
    number, first, after = step.c
    inside = [*where, CDRS.c.cdr_at >= first, CDRS.c.cdr_at < after]
    statement = select(number, *(_of_all(inside) if not where else _of_filtered(inside)))
    for _, *texts in connection.execute(statement.order_by(number)):
        rows, answered, seconds = (int(count) for each in texts for count in str(each).split())
        yield rows, answered, seconds


def _of_all(inside: list[ColumnElement[bool]]) -> list[ScalarSelect[Any]]:
    """Count rows, answered calls and seconds each in the index that has them."""
    rows = select(func.count()).select_from(CDRS).where(*inside)
    answered = rows.where(CDRS.c.disposition == ANSWERED)
    seconds = select(func.coalesce(func.sum(CDRS.c.dest_duration), 0)).where(*inside)
    return [rows.scalar_subquery(), answered.scalar_subquery(), seconds.scalar_subquery()]


def _of_filtered(inside: list[ColumnElement[bool]]) -> list[ScalarSelect[Any]]:
    """Count them all in one text: rows that have to be looked up are looked up once."""
    answered = func.sum(case((CDRS.c.disposition == ANSWERED, 1), else_=0))
    counts = (func.count(), func.coalesce(answered, 0), func.coalesce(func.sum(CDRS.c.dest_duration), 0))
    rows, of_them, seconds = (cast(each, Text) for each in counts)
    return [select(rows + " " + of_them + " " + seconds).select_from(CDRS).where(*inside).scalar_subquery()]


def _add_waiting(
    connection: Connection, chosen: Selection, steps: Sequence[TimeStep], timezone: str, counted: list[Counts]
) -> None:
    """Count the calls without a CDR, too: when they began comes as one text, since each row of its own would take ten times as long."""
    span, of_calls = TimeSpan(steps[0].first, steps[-1].after), conditions("calls", chosen, timezone)
    waiting = _without_cdr(connection, span, columns_used(of_calls))
    moments = func.aggregate_strings(cast(waiting.c.opened_at, Text), " ")
    wanted = [*(on_source(each, CALLS, waiting) for each in of_calls), _is_within(span, waiting.c.opened_at)]
    is_answered = waiting.c.disposition == ANSWERED
    texts = select(moments.filter(~is_answered), moments.filter(is_answered)).where(*wanted)
    for answered, joined in enumerate(connection.execute(texts).one()):
        began = sorted(map(int, (joined or "").split()))
        ends = [bisect_left(began, step.after) for step in steps]
        for place, calls in enumerate(map(sub, ends, [0, *ends])):
            attempts, of_them, spoken = counted[place]
            counted[place] = (attempts + calls, of_them + answered * calls, spoken)


def _besides(
    connection: Connection, of_cdrs: Selection, of_calls: Selection, span: TimeSpan, timezone: str
) -> Iterator[tuple[int, int, int, int]]:
    """Yield what the CDRs of a span leave to count: 1 or -1, the time, whether the call was answered, and the seconds of its destination.

    The CDR of a call that was corrected after its month was closed stands as it was billed, in
    its old call, too: such calls count as they are known now.
    """
    wanted_cdrs, wanted_calls = conditions("cdrs", of_cdrs, timezone), conditions("calls", of_calls, timezone)
    seconds, within = func.coalesce(CDRS.c.dest_duration, 0), _is_within(span, CDRS.c.cdr_at)
    corrected = select(POSTINGS.c.call_id).where(POSTINGS.c.kind == DIFFERENCE, POSTINGS.c.call_id != "")
    if connection.execute(corrected.limit(1)).first() is None:
        return
    billed = select(CDRS.c.cdr_at, CDRS.c.disposition, seconds).where(
        *wanted_cdrs, within, CDRS.c.call_id.in_(corrected)
    )
    both = CALLS.join(CDRS, CALLS.c.call_id == CDRS.c.call_id)
    known = select(CDRS.c.cdr_at, CALLS.c.disposition, seconds).select_from(both)
    known = known.where(*wanted_calls, within, CALLS.c.has_cdr == 1, CALLS.c.call_id.in_(corrected))
    for sign, counted in ((-1, billed), (1, known)):
        for at, disposition, spoken in connection.execute(counted):
            yield sign, int(at), int(disposition == ANSWERED), int(spoken)


def _without_cdr(connection: Connection, span: TimeSpan, columns: set[str]) -> Subquery:
    """Select the calls without a CDR that can have begun in a span, those whose last event is no earlier: some columns, and two more."""
    names = sorted(columns | {"opened_at", "disposition"})
    waiting = select(*(CALLS.c[name] for name in names))
    waiting = waiting.where(CALLS.c.has_cdr == literal_column("0"), CALLS.c.last_at >= span.since)
    # With a limit SQLite looks for them first, in the index that has no others, whatever else is asked.
    return (waiting.limit(-1) if connection.dialect.name == "sqlite" else waiting).subquery()


def _is_within(span: TimeSpan, column: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(column >= span.since, column < span.until)
