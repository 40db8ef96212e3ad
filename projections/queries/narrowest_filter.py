"""Which of a selection's filters SQLite looks for in an index: the one that the fewest rows pass.

SQLite does not know how many rows have a value: it takes any equal value to be rarer than a span of time or a pattern. So the rows that
pass each filter are counted, up to some thousands, and of all other filters the columns are written so that no index has them.
"""

from enum import Enum, auto
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Select, Table, exists, func, literal, select
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.visitors import replacement_traverse

from domain.calls import call
from projections.queries.conditions import NUMBER, columns_used, conditions, on_source
from projections.queries.pattern_values import column_of, narrowed
from projections.queries.selection import Selection, read_model, table_of
from projections.schema.tables import CDRS

# Counting so many takes a millisecond. A quarter is counted where the first rows in the order of time are wanted: they are soon found.
COUNTED_MAX = 20_000
# Of so few it does not matter how many exactly, nor what else there is: a number is counted first.
FEW_ROWS = 100
# Those that have an index, first of all those whose index carries most: of two that very many rows pass, the first one is taken.
INDEXED = {
    "flag": "flagged",
    "waiting": "waiting",
    "tag": "by_tag",
    "account": "by_account",
    "number": "by_src",
    "period": "by_period",
    "disposition": "by_disposition",
    "state": "in_progress",
}
_ORDERED = {"opened_at", "cdr_at", "period"}
_PLUS: Any = custom_op("+")


class Wanted(Enum):
    """What is wanted of the selected rows: the first in the order of time, the first in another one, or something of each."""

    FIRST_IN_TIME = auto()
    FIRST_IN_ORDER = auto()
    EACH = auto()


class NarrowedSelection(NamedTuple):
    """A selection of which one filter uses an index: ``sought`` is what that looks up, ``others`` are compared in the rows that it has.

    ``order`` are the columns in whose order it has the rows, ``carried`` the names of all columns that it has.
    """

    sought: list[ColumnElement[bool]]
    others: list[ColumnElement[bool]]
    order: list[Column[Any]]
    carried: frozenset[str]

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """All conditions."""
        return [*self.sought, *self.others]

    def keys(self, statement: Select[Any], table: Table) -> Select[Any]:
        """Return a statement on a table for the selected rows alone.

        Of CDRs SQLite would look up the row of each entry of the index before it compares anything: so where the index has all else, the
        conditions for which it must are those of a subquery.
        """
        in_index = [each for each in self.others if columns_used([each]) <= self.carried]
        in_rows = [each for each in self.others if not columns_used([each]) <= self.carried]
        if table is not CDRS or not in_rows or not columns_used(statement.selected_columns) <= self.carried:
            return statement.where(*self.conditions)
        return statement.where(*self.sought, *in_index, has_row(table, table, in_rows))


def has_row(source: FromClause, table: Table, conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the condition that the row whose key a source has fulfils some conditions, of which none uses an index."""
    rows = table.alias("looked_up")
    first, *others = (each.name for each in table.primary_key)
    # Found by the first one, which is nearly unique, as the rows themselves are ordered.
    same = [rows.c[first] == source.c[first], *(unindexed(rows.c[name]) == source.c[name] for name in others)]
    looked_up = [on_source(without_index(each, table), table, rows) for each in conditions]
    return exists().where(*same, *looked_up)


class _Filter(NamedTuple):
    """A filter, and what its index can do; ``index_name`` is the name without the model's.

    ``sought`` is what the index looks up, nothing where none has the filter; ``besides`` is compared in each row that is found.
    ``has_times`` says whether a span of time is looked up with it, ``is_in_order`` whether the rows come in the order of the index's times.
    """

    sought: list[ColumnElement[bool]]
    besides: list[ColumnElement[bool]]
    index_name: str = "by_time"
    has_times: bool = True
    is_in_order: bool = True
    is_pattern: bool = False
    is_span: bool = False

    def looked_up(self, span: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
        """Return what its index looks up where rows of a span are wanted."""
        return [*self.sought, *span] if self.has_times else self.sought


def narrowed_selection(
    connection: Connection, model: str, selection: Selection, timezone: str, wanted: Wanted
) -> NarrowedSelection:
    """Return a selection of calls or CDRs for SQLite."""
    table, (span, days) = table_of(model), _span(model, selection, timezone)
    filters = [*_filters(model, selection, timezone, wanted), _Filter([], days)]
    # A span lets no fewer rows pass than a filter within it.
    if span and not any(each.sought and each.has_times for each in filters):
        filters.append(_Filter([], [], is_span=True))
    filters += _patterns(model, selection, timezone, wanted)
    usable = [each for each in filters if each.sought or each.is_span]
    # Without a filter that is worth an index, rows are read in the order of time.
    chosen = _rarest(connection, table, usable, span, wanted) or _Filter([], [])
    compared = [one for each in filters if each is not chosen for one in (*each.sought, *each.besides)]
    compared += [*chosen.besides, *([] if chosen.has_times else span)]
    index = next(each for each in read_model(model).indexes if each.name == f"{model}_{chosen.index_name}")
    columns = [name for name in index.columns.split(", ") if name in table.c]
    # What it looks up has one value, but for times and months.
    order = [table.c[name] for name in columns if name in _ORDERED] if chosen.is_in_order else []
    carried = frozenset([*columns, *index.carried.split(", "), *(each.name for each in table.primary_key)])
    return NarrowedSelection(chosen.looked_up(span), [without_index(each, table) for each in compared], order, carried)


def unindexed(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an expression that SQLite takes no index for."""
    return UnaryExpression(expression, operator=_PLUS, type_=expression.type)


def without_index(condition: ColumnElement[bool], table: Table) -> ColumnElement[bool]:
    """Return a condition for which SQLite takes no index of a table."""

    def replace(element: Any, **_: Any) -> Any:
        if isinstance(element, UnaryExpression) and element.operator is _PLUS:
            return element  # As it is.
        return unindexed(element) if isinstance(element, Column) and element.table is table else None

    return replacement_traverse(condition, {}, replace)


def _span(
    model: str, selection: Selection, timezone: str
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """Return the conditions on times, and on days, which no index has; a month is a span where no column has it."""
    month = selection.period if "period" not in _filter_names(model) else None
    times = Selection(since=selection.since, until=selection.until, day=selection.day, period=month)
    found, time = conditions(model, times, timezone), {read_model(model).time_column}
    return [each for each in found if columns_used([each]) == time], [
        each for each in found if columns_used([each]) != time
    ]


def _filter_names(model: str) -> list[str]:
    named = {"since", "until", "day", "line_rule", "fits", *([] if model == "cdrs" else ["period"])}
    return [name for name in Selection.__struct_fields__ if name not in named]


def _filters(model: str, selection: Selection, timezone: str, wanted: Wanted) -> list[_Filter]:
    """Return the filters but for the span and patterns, those that have an index first."""
    found: dict[str, _Filter] = {}
    for name in _filter_names(model):
        value = getattr(selection, name)
        if value is None:
            continue
        own = conditions(model, Selection(**{name: value}, line_rule=selection.line_rule), timezone)
        index = _index_of(name, value)
        found[name] = _Filter(own, [], index) if index else _Filter([], own)
    if "waiting" in found:
        found["waiting"] = found["waiting"]._replace(has_times=False, is_in_order=False)
    if "number" in found:
        found["number"] = found["number"]._replace(is_in_order=False)  # It may be written in two ways.
    if model == "cdrs" and "account" in found:
        found["account"] = _of_account(found, wanted)
    names = [*(name for name in INDEXED if name in found), *(name for name in found if name not in INDEXED)]
    return [found[name] for name in names]


def _patterns(model: str, selection: Selection, timezone: str, wanted: Wanted) -> list[_Filter]:
    """Return the filters by patterns. Those that get here let many rows pass, so in the order of time no index is taken for them."""
    found = []
    for each in selection.fits or ():
        column = column_of(table_of(model), each)
        narrow = None if wanted is Wanted.FIRST_IN_TIME else narrowed(column, each)
        own = conditions(model, Selection(fits=(each,)), timezone)
        sought = [] if narrow is None else [narrow]
        found.append(_Filter(sought, own, f"by_{column.name}", has_times=False, is_in_order=False, is_pattern=True))
    return found


def _index_of(name: str, value: Any) -> str:
    """Return the name of a filter's index without its model's; empty if it has none."""
    if name not in INDEXED or (name == "state" and value != call.IN_PROGRESS) or (name == "flag" and not value):
        return ""
    return INDEXED[name]


def _of_account(found: dict[str, _Filter], wanted: Wanted) -> _Filter:
    """Return the filter of an account: one index has its rows by time, another by month and time with what rows are sorted by."""
    account, name = found["account"], "by_account_and_period"
    if "period" in found:
        return account._replace(sought=[*account.sought, *found.pop("period").sought], index_name=name)
    return account._replace(index_name=name, has_times=False) if wanted is Wanted.FIRST_IN_ORDER else account


def _rarest(
    connection: Connection, table: Table, filters: list[_Filter], span: list[ColumnElement[bool]], wanted: Wanted
) -> _Filter | None:
    """Return the filter that the fewest rows pass, the first of those that as many do; None if it is better to read all rows."""
    if not filters or (len(filters) == 1 and not (filters[0].is_pattern and wanted is Wanted.EACH)):
        return filters[0] if filters else None
    most = COUNTED_MAX // 4 if wanted is Wanted.FIRST_IN_TIME else COUNTED_MAX
    counts: dict[int, int] = {}
    for place, each in sorted(enumerate(filters), key=lambda entry: entry[1].index_name != INDEXED[NUMBER]):
        some = select(literal(1)).select_from(table).where(*each.looked_up(span)).limit(most).subquery()
        counts[place] = connection.execute(select(func.count()).select_from(some)).scalar_one()
        if counts[place] <= FEW_ROWS:
            break
    rows, place = min((rows, place) for place, rows in counts.items())
    # The rows that fit a pattern are scattered: to read each of very many takes longer than to read all.
    is_too_wide = wanted is Wanted.EACH and filters[place].is_pattern and rows == most
    return None if is_too_wide else filters[place]
