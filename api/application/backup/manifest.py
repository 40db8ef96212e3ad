"""What a backup says of itself: of which ledger it is, up to where, what was signed of it, and a digest of each file.

The ledger keeps in its facts when it was last saved, so that every process of its service can tell.
"""

from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path

import msgspec

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.building.certificate import Certificate

NAME = "manifest.json"
FORMAT = "tringledger-backup/1"
BACKUP_FACT = "backup"
LOG, PROOFS, ACCESS = "ledger.db", "ledger.db.proofs.db", "ledger.db.access.db"


class BackupRefused(LedgerError):
    """A backup cannot be trusted, or is not one; the message says what did not fit."""


class BackupFile(msgspec.Struct, frozen=True):
    """One file of a backup: its name in the folder, its size in bytes, and its SHA-256."""

    name: str
    bytes: int
    sha256: str


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup has: ``head`` events of a ledger, of which ``tree_size`` are in its tree with that ``root`` (hex).

    ``checkpoint`` is the last signed note, empty where nothing was signed; ``certificate`` that of the last rebuild.
    ``made_at`` is ISO 8601, UTC; ``version`` is tringledger's, ``log_schema`` that of the log.
    """

    format: str
    ledger: str
    head: int
    made_at: str
    version: str
    log_schema: str
    tree_size: int
    root: str
    checkpoint: str
    certificate: Certificate | None
    files: list[BackupFile]


def describe_file(path: Path) -> BackupFile:
    """Return what a manifest says of a file."""
    with path.open("rb") as file:
        return BackupFile(path.name, path.stat().st_size, file_digest(file, "sha256").hexdigest())


def write_manifest(folder: Path, manifest: BackupManifest) -> None:
    """Write the manifest of a backup."""
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def read_manifest(folder: Path) -> BackupManifest:
    """Read the manifest of a backup; raises BackupRefused where there is none that can be read."""
    path = folder / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=BackupManifest)
    except (OSError, msgspec.DecodeError) as error:
        others = ", ".join(sorted(each.parent.name for each in folder.glob(f"*/{NAME}")))
        hint = f"; it has the backups {others}" if others else ""
        msg = f"{folder} is not a backup: {NAME} cannot be read ({error}){hint}"
        raise BackupRefused(msg) from error
    if manifest.format != FORMAT:
        msg = f"the backup {folder} has the format {manifest.format!r}; expected {FORMAT!r}"
        raise BackupRefused(msg)
    return manifest


def check_files(folder: Path, manifest: BackupManifest) -> None:
    """Raise BackupRefused unless each file is the one that the manifest names."""
    for wanted in manifest.files:
        path = folder / wanted.name
        if wanted.name not in (LOG, PROOFS, ACCESS):
            msg = f"the backup {folder} names the file {wanted.name!r}; expected {LOG}, {PROOFS} or {ACCESS}"
            raise BackupRefused(msg)
        if not path.is_file():
            msg = f"the backup {folder} has no file {wanted.name}: expected the one that {NAME} names"
            raise BackupRefused(msg)
        found = describe_file(path)
        if found != wanted:
            msg = (
                f"{path} is not the file that {NAME} names: got {found.bytes} bytes with SHA-256 {found.sha256};"
                f" expected {wanted.bytes} bytes with {wanted.sha256}"
            )
            raise BackupRefused(msg)
    if LOG not in {wanted.name for wanted in manifest.files}:
        msg = f"the backup {folder} names no file {LOG}: expected the log"
        raise BackupRefused(msg)


class LastBackup(msgspec.Struct, frozen=True):
    """The last backup: when it was made (ISO 8601, UTC), and the position up to which it has the log."""

    made_at: str
    position: int


def save_last_backup(ledger: Ledger, manifest: BackupManifest) -> None:
    """Note a backup that was made; raises StoreUnavailable where the ledger cannot be written."""
    made = LastBackup(manifest.made_at, manifest.head)
    with ledger.store.transaction() as log:
        log.set_fact(BACKUP_FACT, msgspec.json.encode(made).decode())


def load_last_backup(ledger: Ledger) -> LastBackup | None:
    """Return the last backup of a ledger, or None if none was noted."""
    return last_backup_in(ledger.store.facts())


def last_backup_in(facts: Mapping[str, str]) -> LastBackup | None:
    """Return the same from a ledger's facts."""
    kept = facts.get(BACKUP_FACT)
    return msgspec.json.decode(kept, type=LastBackup) if kept else None
