"""A page of the view ``entries`` without reading all of it: the limit goes into both of its parts, CDRs and postings.

A database that sorts the view as a whole would read every CDR for each page. Each part has an index in the order of pages, so
its first rows are cheap, and the page is among the first rows of both.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, select, union_all
from sqlalchemy.sql.visitors import replacement_traverse

from projections.schema.indexes_and_views import entries_of_cdrs, entries_of_postings
from projections.schema.tables import ENTRIES

# CDRs are in the order of position and call, postings in that of position and number.
_ORDERS = (("position", "call_id"), ("position", "number", "call_id"))


def entries_page(
    wanted: Sequence[ColumnElement[bool]], first: ColumnElement[bool] | None, limit: int, *, descending: bool
) -> Select[Any]:
    """Select the first ``limit`` entries in the order of position, number and call, with the columns of the view.

    ``wanted`` are conditions on the view, and ``first`` one that says the same of the position alone, for the index.
    """
    parts = [
        _part(source, order, [*wanted, *([] if first is None else [first])], limit, descending=descending)
        for source, order in zip((entries_of_cdrs(), entries_of_postings()), _ORDERS, strict=True)
    ]
    both = union_all(*(select(part) for part in parts)).subquery(ENTRIES.name)
    sorted_by = [both.c[name].desc() if descending else both.c[name] for name in _ORDERS[1]]
    return select(both).order_by(*sorted_by).limit(limit)


def _part(
    source: Select[Any], order: Sequence[str], wanted: Sequence[ColumnElement[bool]], limit: int, *, descending: bool
) -> Any:
    rows = source.subquery()

    def column_of_part(element: Any, **_: Any) -> Any:
        return rows.c[element.name] if isinstance(element, Column) and element.table is ENTRIES else None

    conditions = [replacement_traverse(condition, {}, column_of_part) for condition in wanted]
    sorted_by = [rows.c[name].desc() if descending else rows.c[name] for name in order]
    return select(rows).where(*conditions).order_by(*sorted_by).limit(limit).subquery()
