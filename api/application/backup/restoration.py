"""Restoring a backup: everything is verified in a temporary folder, before anything can use the result.

Files against the manifest, events against their leaves, tiles against signed checkpoints, those against a later
checkpoint from outside, read models against the certificate. Only then does the ledger get its place.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from api.application.backup.loss import fork_after_loss, missing_since, read_checkpoint
from api.application.backup.manifest import (
    ACCESS,
    LOG,
    PROOFS,
    BackupManifest,
    BackupRefused,
    check_files,
    read_manifest,
)
from api.application.backup.target import check_empty, put_files, restoring_aside
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain import times
from domain.copying.copy import Progress, copy_ledger
from domain.ledger import Ledger
from domain.log import urls
from domain.log.file_copy import find_damage, read_log_file
from domain.operators.author import Author
from domain.proofs.checkpoint import Checkpoint
from domain.proofs.keys import VerifierKey
from projections.atomic_file import sync_to_disk
from projections.building.as_of import open_as_of
from projections.building.certificate import certificate_differences, certify
from projections.building.comparison import digest_all
from projections.building.rebuild import rebuild
from projections.proofs.log_check import check_log
from projections.proofs.proof_store import find_proofs
from projections.proofs.tree_backup import load_tree, summarize_file
from projections.schema.tables import SCHEMA

# Brings users back from a file into the store at a URL.
LoadAccess = Callable[[Path, str], None]
MARK = "restored from a backup"


class RestoreOptions(NamedTuple):
    """How a backup is verified: by the latest checkpoint from outside, with the log's key; and who accepts a loss."""

    checkpoint: bytes | None = None
    key: VerifierKey | None = None
    accepted_by: Author | None = None


class Restored(NamedTuple):
    """What was restored: the manifest, the head, and how many events were lost that were signed.

    ``last_recorded_at`` is microseconds, UTC; what came later can be imported again. ``is_signed_again`` tells that nothing
    keeps the log from being signed; ``is_certified`` that the read models were compared with a certificate.
    """

    manifest: BackupManifest
    head: int
    lost: int
    last_recorded_at: int | None
    is_signed_again: bool
    is_certified: bool
    has_proofs: bool


def restore_backup(
    folder: Path, url: str, load_access: LoadAccess, options: RestoreOptions, progress: Progress
) -> Restored:
    """Restore a backup into the empty store at a URL.

    Raises BackupRefused where anything does not fit, events are missing included, and then nothing was restored;
    ProofRefused for a checkpoint that does not; NotCopyTarget where the store is not empty; StoreUnavailable.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    check_empty(url)
    home = folder.parent if urls.is_postgres(url) else Path(urls.sqlite_path(url)).absolute().parent
    with restoring_aside(home, folder.name) as aside:
        _lay_out(folder, manifest, aside)
        with Ledger(f"sqlite:///{(aside / LOG).absolute()}", create=True) as ledger:
            restored = _verify(ledger, manifest, aside, options)
            if urls.is_postgres(url):
                _into_postgres(ledger, aside, url, load_access, progress)
        if not urls.is_postgres(url):
            put_files(aside, Path(urls.sqlite_path(url)))
    return restored


def _lay_out(folder: Path, manifest: BackupManifest, aside: Path) -> None:
    """Copy the files of a backup, and check that each is whole and what the manifest says."""
    for kept in manifest.files:
        shutil.copyfile(folder / kept.name, aside / kept.name)
        (aside / kept.name).chmod(0o600)
        sync_to_disk(aside / kept.name)
        if damage := find_damage(aside / kept.name):
            msg = f"the file {kept.name} of the backup is damaged: {'; '.join(damage)}"
            raise BackupRefused(msg)
    facts, head = read_log_file(aside / LOG)
    _expect("ledger", facts.get("id"), manifest.ledger)
    _expect("head", head, manifest.head)
    if (aside / PROOFS).exists():
        tree = summarize_file(aside / PROOFS, manifest.ledger)
        _expect("tree size", tree.size, manifest.tree_size)
        _expect("root", tree.root.hex(), manifest.root)
        _expect("last checkpoint", tree.checkpoint, manifest.checkpoint)


def _expect(what: str, got: object, expected: object) -> None:
    if got != expected:
        msg = f"the backup's {what} is not what its manifest says: got {got!r}; expected {expected!r}"
        raise BackupRefused(msg)


def _verify(ledger: Ledger, manifest: BackupManifest, aside: Path, options: RestoreOptions) -> Restored:
    has_proofs = (aside / PROOFS).exists()
    if has_proofs and manifest.tree_size > manifest.head:
        msg = (
            f"the backup's tree has {manifest.tree_size} events, and its log ends at {manifest.head}; expected no more"
        )
        raise BackupRefused(msg)
    later = read_checkpoint(ledger, options.checkpoint, options.key) if options.checkpoint else None
    if has_proofs or later:
        _check_log(ledger, options.key, later)
    lost = missing_since(later, ledger.head(), is_accepted=options.accepted_by is not None)
    is_certified = _check_certificate(ledger, manifest)
    if later and options.checkpoint and lost and options.accepted_by:
        fork_after_loss(ledger, later, options.checkpoint, options.accepted_by, options.key)
    is_signed_again = not manifest.checkpoint or later is not None
    if not is_signed_again:
        _mark(ledger)
    rebuild(ledger)
    head = ledger.head()
    recorded_at = ledger.recorded_at(manifest.head) if manifest.head else None
    return Restored(manifest, head, lost, recorded_at, is_signed_again, is_certified, has_proofs)


def _check_log(ledger: Ledger, key: VerifierKey | None, later: Checkpoint | None) -> None:
    """Check each event against its leaf, and the tree against all checkpoints; events behind the tree are added to it first."""
    found = find_proofs(ledger.url, ledger.id)
    if found:
        try:
            with found.reading() as rows:
                # Before it grows: what the backup has must fit as it is.
                _expect_no_findings(check_log(ledger.store, rows, key).findings)
        finally:
            found.close()
    keeper = TreeKeeper(ledger, ProverSettings())
    try:
        keeper.catch_up()
    finally:
        keeper.close()
    if later is None or later.size > ledger.head():
        return
    grown = find_proofs(ledger.url, ledger.id)
    assert grown
    try:
        with grown.reading() as rows:
            root = rows.reader(rows.state()).root(later.size)
            _expect(f"root of {later.size} events", root.hex(), later.root.hex())
    finally:
        grown.close()


def _expect_no_findings(findings: Sequence[tuple[int, str]]) -> None:
    if findings:
        shown = "; ".join(what for _, what in findings[:5])
        msg = f"the backup's log does not hold: {shown}" + ("; and more" if len(findings) > 5 else "")  # noqa: PLR2004
        raise BackupRefused(msg)


def _check_certificate(ledger: Ledger, manifest: BackupManifest) -> bool:
    """Make the read models anew as the manifest's certificate has them, and compare; return whether that could be done."""
    wanted = manifest.certificate
    if wanted is None or wanted.schema != SCHEMA:
        return False
    with open_as_of(ledger, wanted.last) as store, store.snapshot() as connection:
        digests = digest_all(connection)
    made = certify(ledger, digests, last=wanted.last, events=wanted.events, microseconds=0, jobs=1)
    if differences := certificate_differences(wanted, made):
        name, expected, got = differences[0]
        msg = f"the read models do not come out as certified: {name}: got {got}; expected {expected}"
        raise BackupRefused(msg)
    return True


def _mark(ledger: Ledger) -> None:
    """Keep the tree from being signed: without a later checkpoint it is unknown what was signed after the backup."""
    found = find_proofs(ledger.url, ledger.id)
    assert found
    try:
        with found.writing() as rows:
            rows.note({"mark": MARK})
    finally:
        found.close()


def _into_postgres(ledger: Ledger, aside: Path, url: str, load_access: LoadAccess, progress: Progress) -> None:
    """Fill a database: the log last, so that nothing uses the rest before."""
    if (aside / PROOFS).exists():
        load_tree(aside / PROOFS, url, ledger.id)
    if (aside / ACCESS).exists():
        load_access(aside / ACCESS, url)
    copy_ledger(ledger, url, times.now, progress)
    with Ledger(url) as restored:
        rebuild(restored)
