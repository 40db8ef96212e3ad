"""A selection of a read model's rows: the filters that exports, frames, pages and the JSON API share.

What SQL a selection becomes is in ``conditions.py``.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Table

from domain.calls.correlation import CorrelationWindow
from projections.queries.text_patterns import TextPattern
from projections.queries.time_points import SelectionError
from projections.schema.column_kinds import exported_columns
from projections.schema.read_models import BY_NAME, ReadModel


class OverdueFilter(msgspec.Struct, frozen=True):
    """Overdue calls at a time (``now``, microseconds, UTC): ``stale`` ones, or those ``missing-cdr``."""

    kind: str
    window: CorrelationWindow
    now: int


class ColumnPattern(msgspec.Struct, frozen=True):
    """A column, named as its filter is, and the pattern that it must fit; ``values`` are all texts that do, if they are known."""

    name: str
    pattern: TextPattern
    values: tuple[str, ...] | None = None


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Filters on a read model, all of which a row must pass; None lets every row pass.

    ``since`` and ``until`` are microseconds, UTC, and half-open: ``until`` itself is outside. An empty text selects the
    rows without one. ``number`` is a number in any notation that
    lines of ``line_rule`` take for the same, ``flag`` one of a row's flags, ``day`` the day on which
    something is billed, in its account's time zone, or ``FIRST..LAST``. ``waiting`` selects overdue calls. ``about`` is what an operator's event is about, such as ``by version 2``, ``who`` the operator, ``why`` a part of the reason, in upper or lower case. ``fits`` are patterns of
    tags and numbers: never of accounts, whose names decide who is billed.
    """

    tag: str | None = None
    account: str | None = None
    number: str | None = None
    line_rule: int | None = None
    disposition: str | None = None
    flag: str | None = None
    state: str | None = None
    kind: str | None = None
    about: str | None = None
    reason: str | None = None
    who: str | None = None
    why: str | None = None
    day: str | None = None
    since: int | None = None
    until: int | None = None
    period: str | None = None
    waiting: OverdueFilter | None = None
    fits: tuple[ColumnPattern, ...] | None = None

    @property
    def whenever(self) -> "Selection":
        """The same rows of any time."""
        return msgspec.structs.replace(self, since=None, until=None, period=None)


def read_model(name: str) -> ReadModel:
    """Return a read model; raises SelectionError where there is none of that name."""
    if name not in BY_NAME:
        msg = f"{name!r} is not a read model: expected one of {', '.join(BY_NAME)}"
        raise SelectionError(msg)
    return BY_NAME[name]


def table_of(model: str) -> Table:
    """Return the table of a read model; raises SelectionError where there is none of that name."""
    return read_model(model).table


def chosen_columns(model: str, names: Sequence[str]) -> list[Column[Any]]:
    """Return the columns of a read model with these names, in their order; all that a reader sees if there are none.

    Raises SelectionError for a name that none of them has.
    """
    columns = {column.name: column for column in exported_columns(table_of(model))}
    if unknown := [name for name in names if name not in columns]:
        msg = f"{model} have no column {unknown[0]!r}: expected some of {', '.join(columns)}"
        raise SelectionError(msg)
    return [columns[name] for name in dict.fromkeys(names or columns)]


def order(model: str) -> list[Column[object]]:
    """Return the columns by which a read model's rows are ordered in exports."""
    return [table_of(model).c[name] for name in read_model(model).order]
