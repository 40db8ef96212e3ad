"""A ledger made anew from its archive: in a temporary folder, and only what holds in every way gets its place.

Events, and what follows from them: delivery keys, signatures, nonces, what correlation knows of calls, the tree of proofs
and the read models. The quarantine, the users and the audit log are not in an archive.
"""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from api.application.archive.archive_check import ArchiveCheck, check_archive, read_archived
from api.application.archive.archive_manifest import ArchiveManifest, ArchiveRefused
from api.application.archive.folder import ArchiveFolder
from api.application.backup.manifest import LOG, PROOFS
from api.application.backup.target import check_empty, put_files, restoring_aside
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain import times
from domain.copying.copy import Progress, copy_ledger
from domain.copying.replay import append_events, line_call_rows
from domain.copying.table_diff import chunks
from domain.ledger import Ledger
from domain.log import urls
from domain.log.contract import Log
from domain.log.open import open_log
from domain.log.tables import LINE_CALLS
from domain.proofs.keys import VerifierKey
from projections.building.rebuild import rebuild
from projections.proofs.proof_store import find_proofs
from projections.proofs.tree_backup import load_tree

MARK = "made anew from an archive"
ROWS_A_TRANSACTION = 5000
FINDINGS_TOLD = 5


class Remade(NamedTuple):
    """What was made: the check of the archive, and when its last event was recorded (microseconds, UTC)."""

    check: ArchiveCheck
    last_recorded_at: int


def remake_ledger(address: str, url: str, key: VerifierKey | None, progress: Progress) -> Remade:
    """Make a ledger anew in the empty store at a URL, from the archive at an address.

    Raises ArchiveRefused where anything does not hold, and then nothing was made; NotCopyTarget where the store is not
    empty, StoreUnavailable, and what `check_archive` raises.
    """
    check_empty(url)
    folder = ArchiveFolder(address)
    check = check_archive(folder, key, [], progress)
    manifest = check.manifest
    if not check.holds:
        shown = "; ".join(check.findings[:FINDINGS_TOLD])
        more = "; and more" if check.found > FINDINGS_TOLD else ""
        msg = f"the archive {folder.name} does not hold: {shown}{more}"
        raise ArchiveRefused(msg)
    if not manifest.position:
        msg = f"the archive {folder.name} has no events yet: expected an archive of at least one closed month"
        raise ArchiveRefused(msg)
    is_postgres = urls.is_postgres(url)
    home = Path(tempfile.gettempdir()) if is_postgres else Path(urls.sqlite_path(url)).absolute().parent
    with restoring_aside(home, manifest.ledger) as aside:
        made = f"sqlite:///{aside / LOG}"
        _fill(folder, manifest, made, progress)
        with Ledger(made, create=True) as ledger:
            ledger.store.keep_few_pages()
            _prove(ledger, manifest)
            rebuild(ledger)
            recorded_at = ledger.recorded_at(manifest.position)
            if is_postgres:
                _into_postgres(ledger, aside, url, progress)
        if not is_postgres:
            put_files(aside, Path(urls.sqlite_path(url)))
    return Remade(check, recorded_at)


def _fill(folder: ArchiveFolder, manifest: ArchiveManifest, url: str, progress: Progress) -> None:
    """Fill a new log with the ledger's facts, its events, and what follows from them."""
    with closing(open_log(url)) as log:
        log.create()
        log.keep_few_pages()
        with log.fill() as filling:
            for name, value in {"schema": str(log.schema), **manifest.facts}.items():
                filling.set_fact(name, value)
        with progress("Recording", manifest.position) as moved:
            for part in manifest.events:
                for events in read_archived(folder, part):
                    with log.transaction() as transaction:
                        append_events(transaction, events)
                    moved(events[-1].position)
        _fill_line_calls(log)


def _fill_line_calls(log: Log) -> None:
    for rows in chunks(line_call_rows(log), ROWS_A_TRANSACTION):
        with log.fill() as filling:
            filling.put(LINE_CALLS, rows)


def _prove(ledger: Ledger, manifest: ArchiveManifest) -> None:
    """Make the tree of proofs anew; raise ArchiveRefused unless it has the archive's root. It is not signed before it is adopted."""
    with closing(TreeKeeper(ledger, ProverSettings())) as keeper:
        state = keeper.catch_up()
    found = find_proofs(ledger.url, ledger.id)
    assert found, state.failure
    with closing(found), found.writing() as rows:
        root = rows.reader(rows.state()).root(manifest.position).hex()
        if root != manifest.root:
            msg = f"the events that were read lead to the root {root}; expected {manifest.root}"
            raise ArchiveRefused(msg)
        rows.note({"mark": MARK})


def _into_postgres(ledger: Ledger, aside: Path, url: str, progress: Progress) -> None:
    """Fill a database: the log last, so that nothing uses the rest before."""
    load_tree(aside / PROOFS, url, ledger.id)
    copy_ledger(ledger, url, times.now, progress)
    with Ledger(url) as made:
        rebuild(made)
