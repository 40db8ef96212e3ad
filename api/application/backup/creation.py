"""Making a backup while the service runs: proofs first, then the log, then users, so that nothing is ahead of its source.

It is written under another name, put on disk, read once whole, and only then gets its name: a folder with a manifest is
a whole backup. The signing key is not in it, and read models are not: they are made from the log.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from api.application.backup.manifest import (
    ACCESS,
    FORMAT,
    LOG,
    NAME,
    PROOFS,
    BackupManifest,
    BackupRefused,
    describe_file,
    read_manifest,
    write_manifest,
)
from domain import times
from domain.copying.copy import Progress, copy_ledger
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.log import urls
from domain.log.file_copy import find_damage, read_log_file, save_copy
from projections.atomic_file import sync_to_disk
from projections.building.certificate import load_certificate
from projections.proofs.tree_backup import TreeSummary, save_tree, summarize_file

PART = ".part"
_NO_TREE = TreeSummary(0, b"", "")

# Saves the users of the ledger at a store's URL into a file; returns whether there are any.
SaveAccess = Callable[[str, Path], bool]


class Backup(NamedTuple):
    """A backup that was made, and the folders of older ones that were removed for it."""

    folder: Path
    manifest: BackupManifest
    removed: list[Path]


def make_backup(ledger: Ledger, folder: Path, save_access: SaveAccess, keep: int | None, progress: Progress) -> Backup:
    """Make the backup ``FOLDER/<ledger>-<head>``; then keep the newest ``keep`` of this ledger, where that is given.

    Raises StoreUnavailable where the store or the folder cannot be used, BackupRefused where what was written cannot be
    read again whole.
    """
    with _map_folder_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{ledger.id}{PART}"
        shutil.rmtree(part, ignore_errors=True)  # What a backup that was killed has left.
        part.mkdir(mode=0o700)
        try:
            manifest = _fill(ledger, part, save_access, progress)
            made = folder / f"{ledger.id}-{manifest.head}"
            shutil.rmtree(made, ignore_errors=True)
            part.rename(made)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        sync_to_disk(folder)
        removed = _remove_older(folder, ledger.id, keep) if keep else []
    return Backup(made, manifest, removed)


def _fill(ledger: Ledger, part: Path, save_access: SaveAccess, progress: Progress) -> BackupManifest:
    tree = summarize_file(part / PROOFS, ledger.id) if save_tree(ledger.url, ledger.id, part / PROOFS) else _NO_TREE
    certificate = load_certificate(ledger)
    _save_log(ledger, part / LOG, progress)
    save_access(ledger.url, part / ACCESS)
    files = [part / name for name in (LOG, PROOFS, ACCESS) if (part / name).exists()]
    for path in files:
        path.chmod(0o600)
        sync_to_disk(path)
        if damage := find_damage(path):
            msg = f"the backup cannot be read again: {path.name}: {'; '.join(damage)}"
            raise BackupRefused(msg)
    facts, head = read_log_file(part / LOG)
    manifest = BackupManifest(
        format=FORMAT,
        ledger=ledger.id,
        head=head,
        made_at=times.iso(times.now()),
        version=version("tringledger"),
        log_schema=facts["schema"],
        tree_size=tree.size,
        root=tree.root.hex(),
        checkpoint=tree.checkpoint,
        certificate=certificate if certificate and certificate.last <= head else None,
        files=[describe_file(path) for path in files],
    )
    write_manifest(part, manifest)
    sync_to_disk(part / NAME)
    sync_to_disk(part)
    return manifest


def _save_log(ledger: Ledger, target: Path, progress: Progress) -> None:
    if urls.is_postgres(ledger.url):
        # Not pg_dump, which must be as new as the server: the copy needs nothing, and compares what it has written.
        copy_ledger(ledger, f"sqlite:///{target.absolute()}", times.now, progress)
        for lock in target.parent.glob(f"{target.name}.*.lock"):
            lock.unlink()
    else:
        save_copy(Path(ledger.path), target)


def _remove_older(folder: Path, ledger: str, keep: int) -> list[Path]:
    """Remove all but the newest backups of a ledger; anything else is left alone."""
    found = [each.parent for each in folder.glob(f"{ledger}-*/{NAME}")]
    made = sorted(found, key=lambda each: read_manifest(each).made_at, reverse=True)
    for old in made[keep:]:
        shutil.rmtree(old)
    return made[keep:]


@contextmanager
def _map_folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"the backup cannot be written to {folder}: {error.strerror or error}"
        raise StoreUnavailable(msg) from error
