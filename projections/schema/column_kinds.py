"""The kinds of columns that read models have, and how each kind of column is made.

Amounts are millionths of a cent or of a SIP credit and times are microseconds since the epoch, UTC, both as whole numbers:
exact in every database. A column's kind says how exports, frames and the JSON API show its values.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, Table, Text


class ColumnKind(StrEnum):
    """What a column's values are: it decides how they are shown. Columns of kind INTERNAL are never shown."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    TOTAL = "total"
    TIME = "time"
    BOOLEAN = "boolean"
    INTERNAL = "internal"


# In the order of code points, whatever language a database is set up for (SPEC 7); SQLite has no other.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def text_column(name: str, **options: Any) -> Column[str]:
    """Return a column of texts, ordered by code points."""
    return Column(name, _TEXT, nullable=False, info={"kind": ColumnKind.TEXT}, **options)


def whole_column(name: str, kind: ColumnKind, *, nullable: bool = False, **options: Any) -> Column[int]:
    """Return a column of whole numbers of a kind."""
    return Column(name, BigInteger, nullable=nullable, info={"kind": kind}, autoincrement=False, **options)


def internal_column(name: str) -> Column[str]:
    """Return a column of texts that readers do not see."""
    return Column(name, _TEXT, nullable=False, info={"kind": ColumnKind.INTERNAL})


def position_column(name: str = "position") -> Column[int]:
    """Return a primary key of positions in the log."""
    # On SQLite a BigInteger key would be an index next to the table, an INTEGER one is the table's own order.
    column: Column[int] = Column(
        name,
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
        info={"kind": ColumnKind.NUMBER},
    )
    return column


def column_kind(column: Column[Any]) -> ColumnKind:
    """Return the kind of a column's values."""
    found: ColumnKind = column.info["kind"]
    return found


def exported_columns(table: Table) -> list[Column[Any]]:
    """Return the columns of a read model that a reader sees, in order."""
    return [column for column in table.columns if column_kind(column) is not ColumnKind.INTERNAL]
