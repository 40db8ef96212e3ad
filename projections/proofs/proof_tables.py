"""The tables of the proof tree, defined once for SQLite and PostgreSQL.

Tiles carry the epoch in which they were written. A log that lost events begins a new epoch (a fork): its tree shares the
full tiles of the common beginning, and the old epoch's later tiles stay, as evidence of what was lost.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

SCHEMA = "1"

METADATA = MetaData()

# Compared by code points, whatever language a database is set up for; SQLite has no other order.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _whole(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, autoincrement=False)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, _TEXT, nullable=False, **options)


# Facts about the tree as a whole: see ProofState.
FACTS = Table("facts", METADATA, _text("name", primary_key=True), _text("value"))

TILES = Table(
    "tiles",
    METADATA,
    _whole("epoch"),
    _whole("level"),
    _whole("number"),
    Column("hashes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("epoch", "level", "number"),
)

# `note` is a signed note with its cosignatures, `signed_at` microseconds since the epoch, UTC.
CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    _whole("epoch"),
    _whole("size"),
    _text("note"),
    _whole("signed_at"),
    PrimaryKeyConstraint("epoch", "size"),
)
