"""The log's tables in a SQLite file.

A position is a real column: SQLite may change an implicit row id when it rewrites the file.
"""

from domain.notices.signature import SIGNATURE_FITS_ELSEWHERE, SIGNATURE_REUSED

# The number of the log schema; stores of each kind count for themselves. Schema 1 had no table of signatures, schema 2 no
# totals of the quarantine and no line rule (SPEC 9.2).
SCHEMA_NUMBER = 3

OPEN = "position = 0 AND authentic = 0"
_REUSED = f"substr(reason, 1, {len(SIGNATURE_REUSED)}) = '{SIGNATURE_REUSED}'"
_FITTING = f"substr(reason, 1, {len(SIGNATURE_FITS_ELSEWHERE)}) = '{SIGNATURE_FITS_ELSEWHERE}'"
# The notices with a wrong signature by what goes first when there is no room; each has an index.
DROPPED_IN_ORDER = (f"{OPEN} AND {_REUSED}", f"{OPEN} AND NOT {_REUSED} AND NOT {_FITTING}", f"{OPEN} AND {_FITTING}")
_ADD = "UPDATE quarantine_totals SET notices = notices + 1, bytes = bytes + length(new.raw) WHERE authentic = new.authentic"
_TAKE = "UPDATE quarantine_totals SET notices = notices - 1, bytes = bytes - length(old.raw) WHERE authentic = old.authentic"

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS ledger (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS stored_events (
        position INTEGER PRIMARY KEY, originator_id TEXT NOT NULL, originator_version INTEGER NOT NULL,
        topic TEXT NOT NULL, state BLOB NOT NULL, UNIQUE (originator_id, originator_version))""",
    """CREATE TABLE IF NOT EXISTS delivery_keys (
        delivery_key BLOB PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS nonces (
        nonce TEXT NOT NULL, content BLOB NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (nonce, content)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS signatures (sig TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS line_calls (
        line TEXT NOT NULL, ordinal INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
        opening TEXT NOT NULL, outcomes TEXT NOT NULL, cdr TEXT, cdr_status TEXT NOT NULL, events INTEGER NOT NULL,
        span INTEGER NOT NULL, PRIMARY KEY (line, ordinal)) WITHOUT ROWID""",
    """CREATE INDEX IF NOT EXISTS line_calls_by_beginning ON line_calls (line, span, first_at)""",
    """CREATE TABLE IF NOT EXISTS quarantine (
        id INTEGER PRIMARY KEY AUTOINCREMENT, delivery_key BLOB NOT NULL UNIQUE, authentic INTEGER NOT NULL,
        reason TEXT NOT NULL, raw BLOB NOT NULL, received_at INTEGER NOT NULL, last_received_at INTEGER NOT NULL,
        times INTEGER NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS quarantine_waiting ON quarantine (position, authentic)""",
    *(
        f"CREATE INDEX IF NOT EXISTS quarantine_{name} ON quarantine (id) WHERE {condition}"
        for name, condition in zip(("reused", "misfits", "fitting"), DROPPED_IN_ORDER, strict=True)
    ),
    """CREATE TABLE IF NOT EXISTS quarantine_totals (
        authentic INTEGER PRIMARY KEY, notices INTEGER NOT NULL, bytes INTEGER NOT NULL)""",
    # Whoever writes the quarantine, its totals follow: an older program, or a copy that fills it.
    f"""CREATE TRIGGER IF NOT EXISTS quarantine_counts_in AFTER INSERT ON quarantine WHEN new.position = 0
        BEGIN {_ADD}; END""",
    f"""CREATE TRIGGER IF NOT EXISTS quarantine_counts_out AFTER DELETE ON quarantine WHEN old.position = 0
        BEGIN {_TAKE}; END""",
    f"""CREATE TRIGGER IF NOT EXISTS quarantine_counts_over AFTER UPDATE OF authentic, position ON quarantine
        BEGIN {_TAKE} AND old.position = 0; {_ADD} AND new.position = 0; END""",
    *(
        f"""INSERT INTO quarantine_totals SELECT {authentic}, count(*), coalesce(sum(length(raw)), 0) FROM quarantine
        WHERE position = 0 AND authentic = {authentic} ON CONFLICT DO NOTHING"""
        for authentic in (0, 1)
    ),
)

# The columns of an event, in the order of LogRow.
EVENT = "position, originator_id, originator_version, topic, state"
LAST_EVENT = "SELECT position, state FROM stored_events ORDER BY position DESC LIMIT 1"
