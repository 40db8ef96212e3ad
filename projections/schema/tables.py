"""The read models' tables, defined once, for SQLite and PostgreSQL alike (SPEC 7).

What each read model offers to its readers is declared in ``read_models.py``.
"""

from typing import Any

from sqlalchemy import DDL, BigInteger, CheckConstraint, Column, MetaData, PrimaryKeyConstraint, Table, Text, event

from projections.schema.column_kinds import ColumnKind, internal_column, position_column, text_column, whole_column

SCHEMA = 10

METADATA = MetaData()
VIEWS = MetaData()

# Calls' ids are unique by indexes, which are made at the end (read_models.py). They are random, so that keeping them in order costs
# the more, the more there are, and following the log finds rows by them for reratings alone, which can do without.
CALLS = Table(
    "calls",
    METADATA,
    text_column("call_id"),
    text_column("tag"),
    text_column("src"),
    whole_column("ordinal", ColumnKind.NUMBER),
    text_column("state"),
    text_column("disposition"),
    text_column("status"),
    text_column("statuses"),
    whole_column("opened_at", ColumnKind.TIME),
    whole_column("answered_at", ColumnKind.TIME, nullable=True),
    whole_column("ended_at", ColumnKind.TIME, nullable=True),
    whole_column("last_at", ColumnKind.TIME),
    whole_column("events", ColumnKind.NUMBER),
    text_column("digits"),
    text_column("flags"),
    whole_column("has_cdr", ColumnKind.BOOLEAN),
    position_column(),
    internal_column("account"),
    internal_column("period"),
)
# Room for the next version of a row within its page: a call changes with each of its events. As an option of the table it would
# load SQLAlchemy's dialect for PostgreSQL wherever the tables are looked at.
_ROOM = DDL("ALTER TABLE %(fullname)s SET (fillfactor = 80)")  # type: ignore[no-untyped-call]
event.listen(CALLS, "after_create", _ROOM.execute_if(dialect="postgresql"))

CDRS = Table(
    "cdrs",
    METADATA,
    text_column("call_id"),
    text_column("tag"),
    text_column("src"),
    whole_column("ordinal", ColumnKind.NUMBER),
    text_column("disposition"),
    text_column("status"),
    whole_column("opened_at", ColumnKind.TIME),
    whole_column("answered_at", ColumnKind.TIME, nullable=True),
    whole_column("cdr_at", ColumnKind.TIME),
    whole_column("src_duration", ColumnKind.NUMBER, nullable=True),
    whole_column("dest_duration", ColumnKind.NUMBER, nullable=True),
    whole_column("src_charge", ColumnKind.AMOUNT, nullable=True),
    whole_column("dest_charge", ColumnKind.AMOUNT, nullable=True),
    whole_column("src_sip_charge", ColumnKind.AMOUNT, nullable=True),
    whole_column("dest_sip_charge", ColumnKind.AMOUNT, nullable=True),
    whole_column("cost", ColumnKind.AMOUNT),
    whole_column("sip_credits", ColumnKind.AMOUNT),
    text_column("account"),
    text_column("tariff"),
    whole_column("billed_seconds", ColumnKind.NUMBER, nullable=True),
    whole_column("price", ColumnKind.AMOUNT),
    whole_column("margin", ColumnKind.AMOUNT),
    text_column("period"),
    whole_column("position", ColumnKind.NUMBER),
    text_column("flags"),
    internal_column("day"),
    internal_column("original_period"),
    Column("rounding", BigInteger, nullable=False, info={"kind": ColumnKind.INTERNAL}),
    Column("rule", BigInteger, nullable=False, info={"kind": ColumnKind.INTERNAL}),
    internal_column("level"),
    # In the order of the log; a CDR that was moved after its month was closed has a row in each of its two calls.
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
    totals = [whole_column(total, ColumnKind.TOTAL if total in _AMOUNTS else ColumnKind.NUMBER) for total in TOTALS]
    entries = Column("entries", BigInteger, nullable=False, info={"kind": ColumnKind.INTERNAL})
    return Table(
        name,
        METADATA,
        text_column("account", primary_key=True),
        text_column(period, primary_key=True),
        *totals,
        entries,
    )


BILLING = _billing("billing", "period")
BILLING_DAYS = _billing("billing_days", "day")


def _entry_columns() -> list[Column[Any]]:
    """Return the columns of an entry of the books, whether it is a CDR or a posting."""
    return [
        text_column("kind"),
        text_column("account"),
        text_column("period"),
        text_column("original_period"),
        text_column("day"),
        text_column("call_id"),
        text_column("tag"),
        text_column("src"),
        text_column("disposition"),
        *(whole_column(total, ColumnKind.TOTAL if total in _AMOUNTS else ColumnKind.NUMBER) for total in TOTALS),
        whole_column("rounding", ColumnKind.TOTAL),
        text_column("level"),
        text_column("tariff"),
        whole_column("rule", ColumnKind.NUMBER),
        text_column("posted_by"),
        text_column("reason"),
    ]


# Postings to a month besides its CDRs: differences to what was billed in a closed month, adjustments, fees and
# top-ups to minimums.
POSTINGS = Table(
    "postings",
    METADATA,
    whole_column("position", ColumnKind.NUMBER, primary_key=True),
    whole_column("number", ColumnKind.NUMBER, primary_key=True),
    *_entry_columns(),
)

# All entries of the books, CDRs and postings: billing is their sum. A view, so that nothing is stored twice.
ENTRIES = Table(
    "entries",
    VIEWS,
    whole_column("position", ColumnKind.NUMBER, primary_key=True),
    whole_column("number", ColumnKind.NUMBER, primary_key=True),
    *_entry_columns(),
)

CLOSINGS = Table(
    "closings",
    METADATA,
    text_column("period", primary_key=True),
    whole_column("position", ColumnKind.NUMBER),
    whole_column("closed_at", ColumnKind.TIME),
    text_column("closed_by"),
    text_column("reason"),
    text_column("accepted"),
)

TARIFFS = Table(
    "tariffs",
    METADATA,
    whole_column("version", ColumnKind.NUMBER, primary_key=True),
    whole_column("position", ColumnKind.NUMBER),
    whole_column("published_at", ColumnKind.TIME),
    text_column("published_by"),
    text_column("reason"),
)

VOICEMAILS = Table(
    "voicemails",
    METADATA,
    position_column(),
    whole_column("received_at", ColumnKind.TIME),
    text_column("email"),
    text_column("voicemail"),
    text_column("tag"),
    text_column("src"),
)

CHANNELS = Table(
    "channels",
    METADATA,
    position_column(),
    whole_column("received_at", ColumnKind.TIME),
    text_column("src"),
    text_column("tag"),
)

EXCEPTIONS = Table(
    "exceptions",
    METADATA,
    text_column("flag", primary_key=True),
    whole_column("position", ColumnKind.NUMBER, primary_key=True),
    whole_column("received_at", ColumnKind.TIME),
    text_column("call_id", index=True),
    text_column("tag"),
    text_column("src"),
    whole_column("ordinal", ColumnKind.NUMBER, nullable=True),
    whole_column("cost", ColumnKind.AMOUNT, nullable=True),
    whole_column("sip_credits", ColumnKind.AMOUNT, nullable=True),
    text_column("resolved_by"),
    text_column("resolution"),
)

RESOLUTIONS = Table(
    "resolutions",
    METADATA,
    text_column("flag", primary_key=True),
    whole_column("position", ColumnKind.NUMBER, primary_key=True),
    text_column("call_id", index=True),
    whole_column("resolved_at", ColumnKind.TIME),
    text_column("resolved_by"),
    text_column("resolution"),
)

# What operators did, one row for each of their events: the books' own audit trail.
OPERATOR_EVENTS = Table(
    "operator_events",
    METADATA,
    position_column(),
    whole_column("recorded_at", ColumnKind.TIME),
    text_column("kind"),
    text_column("done_by"),
    text_column("reason"),
    text_column("about"),
    text_column("account"),
    text_column("call_id"),
    whole_column("moved", ColumnKind.AMOUNT, nullable=True),
    whole_column("reverses", ColumnKind.NUMBER, nullable=True),
)


def _rollup(name: str, keys: tuple[str, ...], summed: tuple[str, ...]) -> Table:
    # SQLite would carry a sum that is too large on as a float: then it refuses the row, as PostgreSQL does.
    whole = [CheckConstraint(f"typeof({column}) = 'integer'").ddl_if(dialect="sqlite") for column in summed]
    return Table(
        name,
        METADATA,
        *(text_column(key, primary_key=True) for key in keys),
        whole_column("rows", ColumnKind.NUMBER),
        *(whole_column(column, ColumnKind.NUMBER) for column in summed),
        *whole,
        sqlite_with_rowid=False,
    )


# How many calls and CDRs there are, and their sums, by month and by what lists are filtered and counted by (rollups.py).
CALLS_ROLLUP = _rollup("calls_rollup", ("month", "account", "tag", "disposition", "state", "flags"), ("events",))
CDRS_ROLLUP = _rollup(
    "cdrs_rollup",
    ("month", "period", "account", "tag", "disposition", "flags"),
    ("src_duration", "dest_duration", "cost", "sip_credits", "billed_seconds", "price", "margin"),
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
