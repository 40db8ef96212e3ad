"""Which rows of a read model are wanted: the filters that exports, frames and pages share.

A filter that a read model cannot obey is refused, never passed over: who asks for one account and gets all of them would
bill the wrong customer.
"""

import re
from datetime import date, datetime, time

import msgspec
from sqlalchemy import Column, ColumnElement, Table

from domain import times
from domain.correlation import Reach
from domain.errors import LedgerError
from projections import calls
from projections.tables import EXPORTS

MOMENTS = {
    "calls": "opened_at",
    "cdrs": "cdr_at",
    "voicemails": "received_at",
    "channels": "received_at",
    "exceptions": "received_at",
    "closings": "closed_at",
    "tariffs": "published_at",
}
DATES = {"billing": "period", "billing-days": "day", "postings": "day", "entries": "day"}
ORDERS = {
    "billing": ("account", "period"),
    "billing-days": ("account", "day"),
    "cdrs": ("position", "call_id"),
    "exceptions": ("position", "flag"),
    "postings": ("position", "number"),
    "entries": ("position", "number", "call_id"),
}
BY_POSITION = ("position",)
STALE, MISSING_CDR = "stale", "missing-cdr"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_MOMENT_EXPECTED = "expected a day (2026-10-01), a month (2026-10), or a time with its offset (2026-10-01T12:00:00Z)"

Moment = str | date | None


class SelectionError(LedgerError):
    """A filter makes no sense, or not for this read model; the message names the value and what was expected."""


class Waiting(msgspec.Struct, frozen=True):
    """Calls that wait in vain at a moment (``now``, microseconds, UTC): ``stale`` ones, or those ``missing-cdr``."""

    kind: str
    reach: Reach
    now: int


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Filters on a read model, all of which a row must pass; None lets every row pass.

    ``since`` and ``until`` are microseconds, UTC, and half-open: ``until`` itself is outside. An empty ``tag`` or
    ``account`` selects the rows without one. ``waiting`` selects the calls that wait for something.
    """

    tag: str | None = None
    account: str | None = None
    since: int | None = None
    until: int | None = None
    period: str | None = None
    waiting: Waiting | None = None


def select(
    model: str,
    *,
    tag: str | None = None,
    account: str | None = None,
    since: Moment = None,
    until: Moment = None,
    period: str | None = None,
    waiting: Waiting | None = None,
    timezone: str,
) -> Selection:
    """Read filters as people write them; days and months begin in the billing time zone.

    Raises SelectionError for a value that cannot be read, or a filter that the read model does not have.
    """
    selection = Selection(
        tag=tag,
        account=account,
        since=_micros(since, timezone),
        until=_micros(until, timezone),
        period=period,
        waiting=waiting,
    )
    if selection.since is not None and selection.until is not None and selection.until < selection.since:
        msg = f"the end {until} lies before the beginning {since}: expected a later one, which is itself left out"
        raise SelectionError(msg)
    conditions(model, selection, timezone)
    return selection


def table_of(model: str) -> Table:
    """Return the table of a read model; raises SelectionError where there is none of that name."""
    if model not in EXPORTS:
        msg = f"{model!r} is not a read model: expected one of {', '.join(EXPORTS)}"
        raise SelectionError(msg)
    return EXPORTS[model]


def order(model: str) -> list[Column[object]]:
    """Return the columns by which a read model's rows are ordered on their way out."""
    return [table_of(model).c[name] for name in ORDERS.get(model, BY_POSITION)]


def conditions(model: str, selection: Selection, timezone: str) -> list[ColumnElement[bool]]:
    """Return what must hold for a row to be selected; raises SelectionError for a filter that the model does not have."""
    table = table_of(model)
    wanted = [
        _column(model, name) == value
        for name, value in (("tag", selection.tag), ("account", selection.account))
        if value is not None
    ]
    if selection.period is not None:
        wanted += _in_period(model, table, selection.period, timezone)
    if selection.waiting is not None:
        wanted.append(_waits(model, selection.waiting))
    return wanted + _between(model, table, selection.since, selection.until, timezone)


def _waits(model: str, waiting: Waiting) -> ColumnElement[bool]:
    if model != "calls":
        msg = f"{model} cannot be filtered by {waiting.kind}: expected calls"
        raise SelectionError(msg)
    waits = calls.is_stale if waiting.kind == STALE else calls.is_missing_cdr
    return waits(waiting.reach, waiting.now)


def _column(model: str, name: str) -> Column[object]:
    table = table_of(model)
    if name in table.c:
        return table.c[name]
    having = ", ".join(other for other in EXPORTS if name in EXPORTS[other].c)
    msg = f"{model} cannot be filtered by {name}, which it does not have: expected one of {having}"
    raise SelectionError(msg)


def _in_period(model: str, table: Table, period: str, timezone: str) -> list[ColumnElement[bool]]:
    first, after = _month(period)
    if "period" in table.c:
        return [table.c.period == period]
    return _between(model, table, _start(first, timezone), _start(after, timezone), timezone)


def _between(
    model: str, table: Table, since: int | None, until: int | None, timezone: str
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    column = table.c[MOMENTS.get(model) or DATES[model]]
    if since is not None:
        wanted.append(column >= (since if model in MOMENTS else _date(model, since, timezone)))
    if until is not None:
        wanted.append(column < (until if model in MOMENTS else _date(model, until, timezone)))
    return wanted


def _date(model: str, at: int, timezone: str) -> str:
    """Return the month or day that begins at a moment: sums cannot be cut elsewhere."""
    day = times.day(at, timezone)
    starts = _start(date.fromisoformat(day), timezone) == at
    if model == "billing" and not (starts and day.endswith("-01")):
        msg = (
            f"billing is summed up by month, and no month begins at {times.iso(at)} in {timezone}: expected a month such"
            f" as {day[:7]}; billing-days is summed up by day"
        )
        raise SelectionError(msg)
    if not starts:
        msg = (
            f"{model} is summed up by day, and no day begins at {times.iso(at)} in {timezone}: expected a day such as"
            f" {day}"
        )
        raise SelectionError(msg)
    return day[:7] if model == "billing" else day


def _micros(value: Moment, timezone: str) -> int | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return _read(value, timezone)
        if not isinstance(value, datetime):
            return _start(value, timezone)
        if value.tzinfo is not None:
            return times.micros(value)
    except (ValueError, OverflowError):
        pass
    msg = f"{str(value)!r} is not a moment: {_MOMENT_EXPECTED}"
    raise SelectionError(msg)


def _read(text: str, timezone: str) -> int:
    if _DAY.fullmatch(text):
        return _start(date.fromisoformat(text), timezone)
    if _MONTH.fullmatch(text):
        return _start(date.fromisoformat(f"{text}-01"), timezone)
    return times.parse(text)


def _start(day: date, timezone: str) -> int:
    """Return the moment at which a day begins; where midnight is skipped or comes twice, its first moment."""
    return times.micros(datetime.combine(day, time.min, times.zone(timezone)))


def _month(period: str) -> tuple[date, date]:
    """Return the first day of a month and of the next one."""
    try:
        first = date.fromisoformat(f"{period}-01" if _MONTH.fullmatch(period) else "")
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    except ValueError:
        msg = f"{period!r} is not a month: expected YYYY-MM, such as 2026-10"
        raise SelectionError(msg) from None
    return first, after
