"""From filters to SQL: reading them as people write them, and the conditions that a selected row meets.

A filter that a read model cannot obey is refused, never ignored: a caller who asks for one account and gets all of them
would bill the wrong customer.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Table, and_, false, func, literal, or_
from sqlalchemy.sql import visitors
from sqlalchemy.sql.visitors import replacement_traverse

from domain import times
from domain.calls import call
from domain.calls.call import FLAGS, VOIDED
from domain.months import Month
from domain.notices import statuses
from domain.notices.line_number import LINE_RULE_2, is_phone_number, line_number
from projections.queries import call_health as calls
from projections.queries import time_points as moments
from projections.queries.call_health import STALE
from projections.queries.selection import ColumnPattern, OverdueFilter, Selection, read_model, table_of
from projections.queries.text_patterns import ANY, LAST, WRITTEN_BETWEEN, HasSeparators, TextPattern, read_pattern
from projections.queries.time_points import Moment, SelectionError
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.read_models import TABLES

DISPOSITIONS = (*sorted({*statuses.DISPOSITIONS.values(), "UNKNOWN"}), "")
STATES = (call.IN_PROGRESS, call.ENDED)
# Filters for the exact text of the column of the same name.
PLAIN = ("tag", "account", "disposition", "state", "kind", "about", "reason")
CHOICES = {"disposition": DISPOSITIONS, "state": STATES, "flag": (*FLAGS, VOIDED, "")}
_NO_SEPARATORS = dict.fromkeys(map(ord, WRITTEN_BETWEEN))
NUMBER = "number"
# Filters that take a pattern, such as ``dept-*``.
PATTERNED = ("tag", NUMBER)


def build_selection(
    model: str,
    *,
    since: Moment = None,
    until: Moment = None,
    through: Moment = None,
    timezone: str,
    now: int | None = None,
    line_rule: int = LINE_RULE_2,
    **filters: Any,
) -> Selection:
    """Read filters as people write them; days and months begin in the billing time zone.

    ``until`` itself is excluded; ``through`` is taken in: a day or a month whole. Times such as ``24h`` are counted back from ``now`` (microseconds, UTC); ``filters`` are a Selection's other fields.
    Raises SelectionError for a value that cannot be read, or a filter that the read model does not have.
    """
    if until is not None and through is not None:
        msg = f"got the end {until}, which is excluded, and the end {through}, which is taken in: expected one of them"
        raise SelectionError(msg)
    end = moments.read_last(through, timezone, now) if until is None else moments.read_time_point(until, timezone, now)
    selection = Selection(
        since=moments.read_time_point(since, timezone, now),
        until=end,
        line_rule=None if filters.get("number") is None else line_rule,
        **_with_patterns(filters),
    )
    # An end that is taken in is never at the beginning, or nothing would be taken in.
    shortest = 0 if through is None else 1
    if selection.since is not None and end is not None and end < selection.since + shortest:
        kind = "the end itself is excluded" if through is None else "the end itself is taken in"
        msg = f"the end {until or through} is before the beginning {since}: expected a later one ({kind})"
        raise SelectionError(msg)
    conditions(model, selection, timezone)
    return selection


def _with_patterns(filters: dict[str, Any]) -> dict[str, Any]:
    """Return filters in which texts with ``*`` have become patterns."""
    exact, patterns = dict(filters), []
    for name in PATTERNED:
        if (text := filters.get(name)) is not None:
            found = read_pattern(text)
            exact[name] = None if isinstance(found, TextPattern) else found
            if isinstance(found, TextPattern):
                patterns.append(ColumnPattern(name, found))
    return exact | ({"fits": tuple(patterns)} if patterns else {})


def conditions(model: str, selection: Selection, timezone: str) -> list[ColumnElement[bool]]:
    """Return the conditions of a selected row; raises SelectionError for a filter that the read model does not have."""
    table = table_of(model)
    wanted = [_is(model, name, value) for name in PLAIN if (value := getattr(selection, name)) is not None]
    if selection.number is not None:
        wanted.append(_numbered(model, selection.number, selection.line_rule or LINE_RULE_2))
    wanted += [_fitting(model, each) for each in selection.fits or ()]
    if selection.flag is not None:
        wanted.append(_flagged(model, selection.flag))
    if selection.who is not None:
        wanted.append(_column(model, "done_by", "who") == selection.who)
    if selection.why is not None:
        wanted.append(func.lower(_column(model, "reason", "why")).contains(_lower(selection.why), autoescape=True))
    if selection.period is not None:
        wanted += _in_period(model, table, selection.period, timezone)
    if selection.day is not None:
        wanted += _on_days(model, selection.day)
    if selection.waiting is not None:
        wanted.append(_waits(model, selection.waiting))
    return wanted + _between(model, table, selection.since, selection.until, timezone)


def on_source(condition: ColumnElement[bool], table: Table, source: FromClause) -> ColumnElement[bool]:
    """Return a condition on a table as one on what has columns of the same names, such as a subquery of it."""

    def replace(element: Any, **_: Any) -> Any:
        ours = isinstance(element, Column) and element.table is table
        return source.c[element.name] if ours else None

    return replacement_traverse(condition, {}, replace)


def columns_used(conditions: Iterable[ColumnElement[bool]]) -> set[str]:
    """Return the names of the columns that some conditions look at: a subquery that they are put on needs no others."""
    return {each.name for one in conditions for each in visitors.iterate(one) if isinstance(each, Column)}


def _is(model: str, name: str, value: str) -> ColumnElement[bool]:
    column = _column(model, name)
    _check_choice(name, value)
    return column == value


def _check_choice(name: str, value: str) -> None:
    choices = CHOICES.get(name)
    if choices and value not in choices:
        msg = f"unknown {name} {value!r}: expected one of {', '.join(filter(None, choices))}"
        raise SelectionError(msg)


def _lower(text: str) -> str:
    """Return a text as both databases' ``lower`` has it: they leave letters beyond ASCII as they are."""
    return "".join(character.lower() if character.isascii() else character for character in text)


def _numbered(model: str, number: str, rule: int) -> ColumnElement[bool]:
    """Compare numbers as lines do (SPEC 6, 9.2), also in read models that have them as delivered."""
    column = _column(model, "src", "number")
    normalised = line_number(number, rule)
    if read_model(model).has_line_numbers or not is_phone_number(number, rule):
        return column.in_(sorted({normalised, number}))
    bare, written = _without_separators(column), (normalised, f"+{normalised}")
    # Taking separators away takes ten times as long as all else, and only a longer text can have some.
    has_separators = func.length(column) > len(normalised)
    return or_(column.in_(written), and_(has_separators, or_(*(bare == each for each in written))))


def _without_separators(column: Any) -> Any:
    for character in WRITTEN_BETWEEN:
        column = func.replace(column, character, "")
    return column


def _fitting(model: str, wanted: ColumnPattern) -> ColumnElement[bool]:
    """Compare with a pattern; in numbers, also in those of the pattern, separators do not count."""
    if wanted.name != NUMBER:
        column = _column(model, wanted.name)
        return wanted.pattern.condition(column) if wanted.values is None else column.in_(wanted.values)
    number = _column(model, "src", NUMBER)
    pattern = number_pattern(wanted.pattern)
    if not pattern.beginning and len(pattern.ending) < LAST:
        msg = f"{ANY.join(wanted.pattern.parts)!r} fits too many numbers: expected how they begin, or at least their last {LAST} digits"
        raise SelectionError(msg)
    if wanted.values is not None:
        return number.in_(wanted.values)
    if read_model(model).has_line_numbers:
        return pattern.condition(number)
    # Of most numbers there is nothing to take away, which would take ten times as long.
    bare = pattern.condition(func.ltrim(_without_separators(number), "+"))
    return or_(pattern.condition(number), and_(HasSeparators(number), bare))


def number_pattern(pattern: TextPattern) -> TextPattern:
    """Return a pattern of numbers without what people write between digits, if it is one of phone numbers."""
    if not all(is_phone_number(part, LINE_RULE_2) for part in pattern.parts):
        return pattern
    return TextPattern(tuple(part.translate(_NO_SEPARATORS).removeprefix("+") for part in pattern.parts))


def _flagged(model: str, flag: str) -> ColumnElement[bool]:
    _check_choice("flag", flag)
    table = table_of(model)
    if "flag" in table.c:
        # A call is voided on purpose: that is a flag of the call, and not an exception.
        if flag == VOIDED:
            msg = f"{model} have no flag {flag!r}: expected one of {', '.join(FLAGS)}"
            raise SelectionError(msg)
        return table.c.flag == flag if flag else false()
    flags = _column(model, "flags", "flag")
    if not flag:
        return flags == ""
    # The first condition lets the database use the index of flagged rows.
    return (flags != "") & (literal(";") + flags + ";").contains(f";{flag};")


def _on_days(model: str, days: str) -> list[ColumnElement[bool]]:
    first, _, last = days.partition("..")
    try:
        first, last = (moments.read_day(each).isoformat() for each in (first, last or first))
    except ValueError:
        msg = f"{days!r} is not a day: expected one such as 2026-10-01, or two such as 2026-10-01..2026-10-31"
        raise SelectionError(msg) from None
    column = _column(model, "day")
    wanted = [column == first] if first == last else [column >= first, column <= last]
    return wanted + (_around(first, last) if model == "cdrs" else [])


def _around(first: str, last: str) -> list[ColumnElement[bool]]:
    """Return conditions on the times of CDRs that follow from their days: the indexes have times and no days.

    A CDR is billed on its day in some time zone, or later, on the first day of a month (if its own was closed).
    """
    begin, end = (times.start_of_day(moments.read_day(each), "UTC") for each in (first, last))
    cdr_at = table_of("cdrs").c.cdr_at
    wanted = [cdr_at < end + 2 * times.DAY]
    month = Month.of_day(first)
    if Month.of_day(last) == month and not month.begins_on(first):
        wanted.append(cdr_at >= begin - times.DAY)
    return wanted


def _waits(model: str, waiting: OverdueFilter) -> ColumnElement[bool]:
    if model != "calls":
        msg = f"{model} cannot be filtered by {waiting.kind}: expected calls"
        raise SelectionError(msg)
    waits = calls.is_stale if waiting.kind == STALE else calls.is_missing_cdr
    return waits(waiting.window, waiting.now)


def _column(model: str, name: str, called: str | None = None) -> Column[Any]:
    table = table_of(model)
    if name in table.c:
        return table.c[name]
    having = ", ".join(other for other in TABLES if name in TABLES[other].c) or "none"
    msg = f"{model} cannot be filtered by {called or name}, which it does not have: expected one of {having}"
    raise SelectionError(msg)


def _in_period(model: str, table: Table, period: str, timezone: str) -> list[ColumnElement[bool]]:
    month = moments.read_month(period)
    # A call belongs to the month in which it began, because it may have no CDR; its CDR decides in which it is billed.
    if "period" in table.c and column_kind(table.c.period) is not ColumnKind.INTERNAL:
        return [table.c.period == period]
    first, after = (times.start_of_day(each.first_day, timezone) for each in (month, month.next))
    return _between(model, table, first, after, timezone)


def _between(
    model: str, table: Table, since: int | None, until: int | None, timezone: str
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    declared = read_model(model)
    column = table.c[declared.time_column or declared.date_column]
    if since is not None:
        wanted.append(column >= (since if declared.time_column else _date(model, since, timezone)))
    if until is not None:
        wanted.append(column < (until if declared.time_column else _date(model, until, timezone)))
    return wanted


def _date(model: str, at: int, timezone: str) -> str:
    """Return the month or day that begins at a time (microseconds, UTC): sums cannot be cut elsewhere."""
    day = times.day(at, timezone)
    month = Month.of_day(day)
    starts = times.start_of_day(date.fromisoformat(day), timezone) == at
    if model == "billing" and not (starts and month.begins_on(day)):
        msg = (
            f"billing is summed up by month, and no month begins at {times.iso(at)} in {timezone}: expected a month such"
            f" as {month}; billing-days is summed up by day"
        )
        raise SelectionError(msg)
    if not starts:
        msg = (
            f"{model} is summed up by day, and no day begins at {times.iso(at)} in {timezone}: expected a day such as"
            f" {day}"
        )
        raise SelectionError(msg)
    return str(month) if model == "billing" else day
