"""The read models' tables: their columns, of which kind each is, and what it means."""

from sqlalchemy import Column, Table

from api.web.json_api.lists import MEANINGS
from generated_reference.markdown import code, table
from projections.schema.column_meanings import meaning_of
from projections.schema.tables import EXPORTS, column_kind, exported_columns


def describe() -> str:
    """Return a section for each read model."""
    return "\n".join(_section(name, model) for name, model in EXPORTS.items())


def _section(name: str, model: Table) -> str:
    key = ", ".join(code(column.name) for column in model.primary_key)
    columns = table(("column", "kind", "meaning"), [_row(model, column) for column in exported_columns(model)])
    return f"## {name}\n\n{MEANINGS[name]} Its key is {key}.\n\n{columns}"


def _row(model: Table, column: Column[object]) -> tuple[str, str, str]:
    may_be_empty = ", or empty" if column.nullable else ""
    return code(column.name), f"{column_kind(column).value}{may_be_empty}", meaning_of(model.name, column.name)
