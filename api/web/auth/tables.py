"""The access store's tables, defined once for SQLite and PostgreSQL: users, sessions, links, attempts, the audit log.

Times are microseconds since the epoch, UTC. Tokens, sessions and links are kept as keyed digests only.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA = "1"

METADATA = MetaData()

# In code-point order, whatever the language of the database; SQLite has no other order.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, _TEXT, nullable=False, **options)


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _digest(name: str, **options: Any) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False, **options)


def _number() -> Column[int]:
    # On SQLite only an INTEGER key is the table's own order.
    return Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)


# Facts about the store as a whole: its schema, and the key of all digests.
FACTS = Table("facts", METADATA, _text("name", primary_key=True), _text("value"))

USERS = Table(
    "users",
    METADATA,
    _text("name", primary_key=True),
    _text("roles"),
    _digest("token", unique=True),
    _time("added_at"),
    _time("token_at"),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    _digest("session", primary_key=True),
    _text("name", index=True),
    _time("began_at"),
    _time("ends_at"),
)

LINKS = Table("links", METADATA, _digest("link", primary_key=True), _text("name", index=True), _time("ends_at"))

ATTEMPTS = Table("attempts", METADATA, _number(), _digest("of"), _time("at"))
Index("attempts_of", ATTEMPTS.c.of, ATTEMPTS.c.at)

RECORDS = Table(
    "records",
    METADATA,
    _number(),
    _time("at"),
    _text("who"),
    _text("how"),
    _text("address"),
    _text("did"),
    Column("unmasked", Integer, nullable=False),
    _text("method"),
    _text("path"),
    _text("query"),
    Column("status", Integer, nullable=False),
    sqlite_autoincrement=True,
)
