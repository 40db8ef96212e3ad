"""The log's tables in a SQLite file.

A position is a real column: SQLite may change an implicit row id when it rewrites the file.
"""

from domain.notices.signature import SIGNATURE_REUSED

# The number of the log schema; stores of each kind count for themselves. Schema 1 had no table of signatures.
SCHEMA_NUMBER = 2

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
    f"""CREATE INDEX IF NOT EXISTS quarantine_reused ON quarantine (id)
        WHERE position = 0 AND authentic = 0 AND substr(reason, 1, {len(SIGNATURE_REUSED)}) = '{SIGNATURE_REUSED}'""",
)

# The columns of an event, in the order of LogRow.
EVENT = "position, originator_id, originator_version, topic, state"
LAST_EVENT = "SELECT position, state FROM stored_events ORDER BY position DESC LIMIT 1"
