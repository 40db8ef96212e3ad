"""The read models' tables: their columns, of which kind each is, and what it means."""

from sqlalchemy import Column, Table

from generated_reference.markdown import code, table
from projections.schema.column_kinds import column_kind, exported_columns
from projections.schema.column_meanings import meaning_of
from projections.schema.read_models import READ_MODELS, ReadModel


def describe() -> str:
    """Return a section for each read model."""
    return "\n".join(map(_section, READ_MODELS))


def _section(model: ReadModel) -> str:
    key = ", ".join(code(column.name) for column in model.table.primary_key)
    rows = [_row(model.table, column) for column in exported_columns(model.table)]
    columns = table(("column", "kind", "meaning"), rows)
    return f"## {model.name}\n\n{model.description} Its key is {key}.\n\n{columns}"


def _row(model: Table, column: Column[object]) -> tuple[str, str, str]:
    may_be_empty = ", or empty" if column.nullable else ""
    return code(column.name), f"{column_kind(column).value}{may_be_empty}", meaning_of(model.name, column.name)
