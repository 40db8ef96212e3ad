"""Rows of the read models as JSON, and the JSON schemas that say so: both by the kinds of the tables' columns."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Row, Table

from api.web.json_api.parameters import Schema
from domain import amounts, times
from projections.queries.row_stream import Masks
from projections.schema.column_meanings import meaning_of
from projections.schema.tables import Kind, exported, kind

DECIMAL = r"^-?[0-9]+(\.[0-9]{1,6})?$"

_SCHEMAS: dict[Kind, Schema] = {
    Kind.TEXT: {"type": "string"},
    Kind.NUMBER: {"type": "integer"},
    Kind.AMOUNT: {"type": "string", "pattern": DECIMAL},
    Kind.TOTAL: {"type": "string", "pattern": DECIMAL},
    Kind.TIME: {"type": "string", "format": "date-time"},
    Kind.TRUTH: {"type": "boolean"},
}
_CHANGES: dict[Kind, Callable[[Any], Any]] = {
    Kind.AMOUNT: amounts.plain,
    Kind.TOTAL: amounts.plain,
    Kind.TIME: times.iso,
    Kind.TRUTH: bool,
}


def schema(column: Column[Any]) -> Schema:
    """Return the JSON schema of a column's values."""
    found = dict(_SCHEMAS[kind(column)])
    if column.nullable:
        found["type"] = [found["type"], "null"]
    found["description"] = meaning_of(column.table.name, column.name)
    return found


def row_schema(table: Table) -> Schema:
    """Return the JSON schema of a read model's rows."""
    return of_properties({column.name: schema(column) for column in exported(table)})


def of_properties(properties: dict[str, Schema]) -> Schema:
    """Return the JSON schema of an object that has all of these, and no others."""
    # SQLAlchemy's names of columns are no plain texts, and not all that reads schemas takes them for such.
    named = {str(name): described for name, described in properties.items()}
    return {"type": "object", "properties": named, "required": list(named), "additionalProperties": False}


def value(column: Column[Any], found: Any, masks: Masks) -> Any:
    """Return a column's value as its JSON says it."""
    if found is None:
        return None
    change = masks.get(column.name) or _CHANGES.get(kind(column))
    return change(found) if change else found


def documents(table: Table, rows: Iterable[Row[Any]], masks: Masks) -> list[dict[str, Any]]:
    """Return rows as JSON objects, column by column, since most columns want nothing."""
    columns = exported(table)
    places = [table.columns.keys().index(column.name) for column in columns]
    changes = [
        (column.name, place, masks.get(column.name) or _CHANGES.get(kind(column)))
        for column, place in zip(columns, places, strict=True)
    ]
    return [_document(row, changes) for row in rows]


def _document(row: Sequence[Any], changes: Sequence[tuple[str, int, Callable[[Any], Any] | None]]) -> dict[str, Any]:
    return {
        name: row[place] if change is None or row[place] is None else change(row[place])
        for name, place, change in changes
    }
