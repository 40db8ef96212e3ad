"""The read models' tables, defined once, for SQLite and PostgreSQL alike (SPEC 7).

Amounts are millionths of a cent or of a SIP credit and times are microseconds since the epoch, UTC, both as whole numbers:
exact in every database. Each column says of which kind it is, and exports turn it into what a reader expects.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, PrimaryKeyConstraint, Table, Text

SCHEMA = 3

METADATA = MetaData()
VIEWS = MetaData()


class ColumnKind(StrEnum):
    """What a column's values are, and so how they leave the house."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    TOTAL = "total"
    TIME = "time"
    TRUTH = "truth"
    INTERNAL = "internal"


# In the order of code points, whatever language a database is set up for (SPEC 7); SQLite has no other.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, _TEXT, nullable=False, info={"kind": ColumnKind.TEXT}, **options)


def _whole(name: str, kind: ColumnKind, *, nullable: bool = False, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, info={"kind": kind}, autoincrement=False, **options)


def _internal(name: str) -> Column[str]:
    return Column(name, _TEXT, nullable=False, info={"kind": ColumnKind.INTERNAL})


def _position(name: str = "position") -> Column[int]:
    # On SQLite a BigInteger key would be an index beside the table, an INTEGER one is the table's own order.
    column: Column[int] = Column(
        name,
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
        info={"kind": ColumnKind.NUMBER},
    )
    return column


CALLS = Table(
    "calls",
    METADATA,
    _text("call_id", unique=True),
    _text("tag"),
    _text("src"),
    _whole("ordinal", ColumnKind.NUMBER),
    _text("state"),
    _text("disposition"),
    _text("status"),
    _text("statuses"),
    _whole("opened_at", ColumnKind.TIME),
    _whole("answered_at", ColumnKind.TIME, nullable=True),
    _whole("ended_at", ColumnKind.TIME, nullable=True),
    _whole("last_at", ColumnKind.TIME),
    _whole("events", ColumnKind.NUMBER),
    _text("digits"),
    _text("flags"),
    _whole("has_cdr", ColumnKind.TRUTH),
    _position(),
    _internal("account"),
    _internal("period"),
)

CDRS = Table(
    "cdrs",
    METADATA,
    _text("call_id", unique=True),
    _text("tag"),
    _text("src"),
    _whole("ordinal", ColumnKind.NUMBER),
    _text("disposition"),
    _text("status"),
    _whole("opened_at", ColumnKind.TIME),
    _whole("answered_at", ColumnKind.TIME, nullable=True),
    _whole("cdr_at", ColumnKind.TIME),
    _whole("src_duration", ColumnKind.NUMBER, nullable=True),
    _whole("dest_duration", ColumnKind.NUMBER, nullable=True),
    _whole("src_charge", ColumnKind.AMOUNT, nullable=True),
    _whole("dest_charge", ColumnKind.AMOUNT, nullable=True),
    _whole("src_sip_charge", ColumnKind.AMOUNT, nullable=True),
    _whole("dest_sip_charge", ColumnKind.AMOUNT, nullable=True),
    _whole("cost", ColumnKind.AMOUNT),
    _whole("sip_credits", ColumnKind.AMOUNT),
    _text("account"),
    _text("tariff"),
    _whole("billed_seconds", ColumnKind.NUMBER, nullable=True),
    _whole("price", ColumnKind.AMOUNT),
    _whole("margin", ColumnKind.AMOUNT),
    _text("period"),
    _whole("position", ColumnKind.NUMBER),
    _text("flags"),
    _internal("day"),
    _internal("original_period"),
    Column("rounding", BigInteger, nullable=False, info={"kind": ColumnKind.INTERNAL}),
    Column("rule", BigInteger, nullable=False, info={"kind": ColumnKind.INTERNAL}),
    _internal("level"),
    # In the order of the log; a CDR that moved after its month was closed has a row in each of its two calls.
    PrimaryKeyConstraint("position", "call_id"),
    sqlite_with_rowid=False,
)

TOTALS = (
    "calls",
    "answered",
    "src_seconds",
    "dest_seconds",
    "cost",
    "sip_credits",
    "billed_seconds",
    "price",
    "margin",
)
_AMOUNTS = ("cost", "sip_credits", "price", "margin")


def _billing(name: str, period: str) -> Table:
    totals = [_whole(total, ColumnKind.TOTAL if total in _AMOUNTS else ColumnKind.NUMBER) for total in TOTALS]
    entries = Column("entries", BigInteger, nullable=False, info={"kind": ColumnKind.INTERNAL})
    return Table(name, METADATA, _text("account", primary_key=True), _text(period, primary_key=True), *totals, entries)


BILLING = _billing("billing", "period")
BILLING_DAYS = _billing("billing_days", "day")


def _entry_columns() -> list[Column[Any]]:
    """Return what an entry of the books says, whether it is a CDR's or was posted beside the CDRs."""
    return [
        _text("kind"),
        _text("account"),
        _text("period"),
        _text("original_period"),
        _text("day"),
        _text("call_id"),
        _text("tag"),
        _text("src"),
        _text("disposition"),
        *(_whole(total, ColumnKind.TOTAL if total in _AMOUNTS else ColumnKind.NUMBER) for total in TOTALS),
        _whole("rounding", ColumnKind.TOTAL),
        _text("level"),
        _text("tariff"),
        _whole("rule", ColumnKind.NUMBER),
        _text("posted_by"),
        _text("reason"),
    ]


# What is posted to a month beside its CDRs: differences to what was billed in a month that is closed, and adjustments.
POSTINGS = Table(
    "postings",
    METADATA,
    _whole("position", ColumnKind.NUMBER, primary_key=True),
    _whole("number", ColumnKind.NUMBER, primary_key=True),
    *_entry_columns(),
)

# All entries of the books, CDRs and postings: billing is their sum. A view, so that nothing is kept twice.
ENTRIES = Table(
    "entries",
    VIEWS,
    _whole("position", ColumnKind.NUMBER, primary_key=True),
    _whole("number", ColumnKind.NUMBER, primary_key=True),
    *_entry_columns(),
)

CLOSINGS = Table(
    "closings",
    METADATA,
    _text("period", primary_key=True),
    _whole("position", ColumnKind.NUMBER),
    _whole("closed_at", ColumnKind.TIME),
    _text("closed_by"),
    _text("reason"),
    _text("accepted"),
)

TARIFFS = Table(
    "tariffs",
    METADATA,
    _whole("version", ColumnKind.NUMBER, primary_key=True),
    _whole("position", ColumnKind.NUMBER),
    _whole("published_at", ColumnKind.TIME),
    _text("published_by"),
    _text("reason"),
)

VOICEMAILS = Table(
    "voicemails",
    METADATA,
    _position(),
    _whole("received_at", ColumnKind.TIME),
    _text("email"),
    _text("voicemail"),
    _text("tag"),
    _text("src"),
)

CHANNELS = Table("channels", METADATA, _position(), _whole("received_at", ColumnKind.TIME), _text("src"), _text("tag"))

EXCEPTIONS = Table(
    "exceptions",
    METADATA,
    _text("flag", primary_key=True),
    _whole("position", ColumnKind.NUMBER, primary_key=True),
    _whole("received_at", ColumnKind.TIME),
    _text("call_id", index=True),
    _text("tag"),
    _text("src"),
    _whole("ordinal", ColumnKind.NUMBER, nullable=True),
    _whole("cost", ColumnKind.AMOUNT, nullable=True),
    _whole("sip_credits", ColumnKind.AMOUNT, nullable=True),
    _text("resolved_by"),
    _text("resolution"),
)

# How far the read models have come, of which ledger and shape they are, and which event they know at their position (the
# SHA-256 of its proof entry, in hex; empty at position 0): one row.
PROGRESS = Table(
    "progress",
    METADATA,
    Column("position", BigInteger, nullable=False),
    Column("ledger", Text, primary_key=True),
    Column("schema", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)

READ_MODELS: dict[str, Table] = {
    "calls": CALLS,
    "cdrs": CDRS,
    "billing": BILLING,
    "billing-days": BILLING_DAYS,
    "voicemails": VOICEMAILS,
    "channels": CHANNELS,
    "exceptions": EXCEPTIONS,
    "postings": POSTINGS,
    "closings": CLOSINGS,
    "tariffs": TARIFFS,
}
EXPORTS = READ_MODELS | {"entries": ENTRIES}


def column_kind(column: Column[Any]) -> ColumnKind:
    """Return what a column's values are."""
    found: ColumnKind = column.info["kind"]
    return found


def exported_columns(table: Table) -> list[Column[Any]]:
    """Return the columns of a read model that a reader sees, in order."""
    return [column for column in table.columns if column_kind(column) is not ColumnKind.INTERNAL]
