"""A proof tree saved into a file while others write to it, read there, and loaded into a store again."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from domain.log import urls
from domain.log.file_copy import save_copy
from domain.proofs.refusals import ProofRefused
from projections.proofs.proof_store import SQLiteProofStore, find_proofs, open_proofs, path_beside
from projections.proofs.proof_tables import METADATA
from projections.stores.upsert import copy_rows


class TreeSummary(NamedTuple):
    """A tree: how many events it has, its root, and the last signed note, empty where nothing was signed."""

    size: int
    root: bytes
    checkpoint: str


def save_tree(url: str, ledger_id: str, target: Path) -> bool:
    """Save the tree of the ledger at a store's URL into a new file; return whether there is one."""
    kept = find_proofs(url, ledger_id)
    if kept is None:
        return False
    try:
        if not urls.is_postgres(url):
            save_copy(path_beside(Path(urls.sqlite_path(url))), target)
            return True
        with kept.reading() as rows:
            _fill(target, ledger_id, rows.connection)
    finally:
        kept.close()
    return True


def _fill(target: Path, ledger_id: str, source: Connection) -> None:
    made = SQLiteProofStore(target, ledger_id)
    try:
        made.make()
        with made.writing() as rows:
            copy_rows(source, rows.connection, METADATA)
    finally:
        made.close()


def load_tree(source: Path, url: str, ledger_id: str) -> None:
    """Bring a saved tree back as that of the ledger at a store's URL, which has none."""
    saved = SQLiteProofStore(source, ledger_id)
    kept = open_proofs(url, ledger_id)
    try:
        with saved.reading() as old, kept.writing() as new:
            copy_rows(old.connection, new.connection, METADATA)
    finally:
        kept.close()
        saved.close()


def summarize_file(path: Path, ledger_id: str) -> TreeSummary:
    """Return what a saved tree has; raises ForeignProofs where it is another ledger's."""
    saved = SQLiteProofStore(path, ledger_id)
    try:
        if not saved.find():
            msg = f"the file {path} has no tree of proofs: expected one"
            raise ProofRefused(msg)
        with saved.reading() as rows:
            state = rows.state()
            last = rows.last_checkpoint(state.epoch)
            return TreeSummary(state.size, rows.reader(state).root(state.size), last.note.decode() if last else "")
    finally:
        saved.close()
