"""The read models' tables: their columns, and of which kind each is."""

from sqlalchemy import Column, Table

from generated_reference.markdown import code, table
from projections.schema.tables import EXPORTS, exported, kind


def describe() -> str:
    """Return a section for each read model."""
    return "\n".join(_section(name, model) for name, model in EXPORTS.items())


def _section(name: str, model: Table) -> str:
    columns = table(("column", "kind", ""), [_row(column) for column in exported(model)])
    return f"## {name}\n\n{columns}"


def _row(column: Column[object]) -> tuple[str, str, str]:
    notes = [note for note, holds in (("key", column.primary_key), ("may be empty", column.nullable)) if holds]
    return code(column.name), kind(column).value, ", ".join(notes)
