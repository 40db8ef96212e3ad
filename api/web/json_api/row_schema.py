"""Rows of read models as JSON, with their JSON schemas: both follow from the kinds of the columns."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from api.web.json_api.parameters import ApiParameter, Schema, choice_reader
from domain import amounts, times
from projections.queries.row_stream import Masks
from projections.queries.selection import chosen_columns
from projections.schema.column_kinds import ColumnKind, column_kind, exported_columns
from projections.schema.column_meanings import meaning_of
from projections.schema.read_models import ReadModel

DECIMAL = r"^-?[0-9]+(\.[0-9]{1,6})?$"

_SCHEMAS: dict[ColumnKind, Schema] = {
    ColumnKind.TEXT: {"type": "string"},
    ColumnKind.NUMBER: {"type": "integer"},
    ColumnKind.AMOUNT: {"type": "string", "pattern": DECIMAL},
    ColumnKind.TOTAL: {"type": "string", "pattern": DECIMAL},
    ColumnKind.TIME: {"type": "string", "format": "date-time"},
    ColumnKind.BOOLEAN: {"type": "boolean"},
}
_CHANGES: dict[ColumnKind, Callable[[Any], Any]] = {
    ColumnKind.AMOUNT: amounts.plain,
    ColumnKind.TOTAL: amounts.plain,
    ColumnKind.TIME: times.iso,
    ColumnKind.BOOLEAN: bool,
}


def column_schema(model: ReadModel, name: str) -> Schema:
    """Return the JSON schema of a column's values."""
    column = model.table.c[name]
    found = dict(_SCHEMAS[column_kind(column)])
    if column.nullable:
        found["type"] = [found["type"], "null"]
    found["description"] = meaning_of(model.table.name, name)
    return found


def row_schema(model: ReadModel) -> Schema:
    """Return the JSON schema of a read model's rows."""
    title = "".join(part.capitalize() for part in model.name.split("-")) + "Row"
    columns = {column.name: column_schema(model, column.name) for column in exported_columns(model.table)}
    return object_schema(columns) | {"title": title}


def chosen_row_schema(model: ReadModel) -> Schema:
    """Return the JSON schema of a read model's rows with the columns that a request chooses."""
    whole = row_schema(model)
    return {name: part for name, part in whole.items() if name != "required"} | {"title": f"Chosen{whole['title']}"}


def columns_of(model: str) -> ApiParameter:
    """Return the parameter that chooses the columns of rows, as pages have it."""
    names = [column.name for column in chosen_columns(model, ())]

    def read(value: str) -> list[str]:
        return [choice_reader(names)(each) for each in value.split(",")]

    either = "|".join(names)
    schema: Schema = {"type": "string", "pattern": f"^({either})(,({either}))*$"}
    meaning = "The columns to return, in this order, separated by commas (default: all)."
    return ApiParameter("cols", meaning, schema, read)


def object_schema(properties: dict[str, Schema]) -> Schema:
    """Return the JSON schema of an object with exactly these properties."""
    # SQLAlchemy's column names are a subclass of str, which some schema readers reject.
    named = {str(name): described for name, described in properties.items()}
    return {"type": "object", "properties": named, "required": list(named), "additionalProperties": False}


def json_value(model: ReadModel, name: str, value: Any) -> Any:
    """Return the JSON value of a column that is not masked."""
    change = _CHANGES.get(column_kind(model.table.c[name]))
    return value if value is None or change is None else change(value)


def row_documents(
    model: ReadModel, rows: Iterable[Sequence[Any]], masks: Masks, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return rows as JSON objects, with the columns ``names`` or all; works column by column: most need no change."""
    columns = chosen_columns(model.name, names)
    places = [model.table.columns.keys().index(column.name) for column in columns]
    changes = [
        (column.name, place, masks.get(column.name) or _CHANGES.get(column_kind(column)))
        for column, place in zip(columns, places, strict=True)
    ]
    return [_document(row, changes) for row in rows]


def _document(row: Sequence[Any], changes: Sequence[tuple[str, int, Callable[[Any], Any] | None]]) -> dict[str, Any]:
    return {
        name: row[place] if change is None or row[place] is None else change(row[place])
        for name, place, change in changes
    }
