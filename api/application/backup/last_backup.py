"""When a ledger was last saved, and how far: kept in the ledger's facts, so that every process of its service can tell."""

import msgspec

from api.application.backup.manifest import BackupManifest
from domain.ledger import Ledger

FACT = "backup"


class LastBackup(msgspec.Struct, frozen=True):
    """The last backup: when it was made (ISO 8601, UTC), and the position up to which it has the log."""

    made_at: str
    position: int


def save_last_backup(ledger: Ledger, manifest: BackupManifest) -> None:
    """Note a backup that was made; raises StoreUnavailable where the ledger cannot be written."""
    made = LastBackup(manifest.made_at, manifest.head)
    with ledger.store.transaction() as log:
        log.set_fact(FACT, msgspec.json.encode(made).decode())


def load_last_backup(ledger: Ledger) -> LastBackup | None:
    """Return the last backup of a ledger, or None if none was noted."""
    kept = ledger.store.facts().get(FACT)
    return msgspec.json.decode(kept, type=LastBackup) if kept else None
