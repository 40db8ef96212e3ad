"""The access store saved into a file while the service runs, and brought back: users and the audit log."""

from pathlib import Path

from api.web.auth.store import access_path, exists, open_access_file, open_access_store
from api.web.auth.tables import METADATA
from domain.log import urls
from domain.log.file_copy import save_copy
from projections.stores.upsert import copy_rows


def save_access(url: str, target: Path) -> bool:
    """Save the access store of the ledger at a URL into a new file; return whether there is one."""
    if not exists(url):
        return False
    if not urls.is_postgres(url):
        save_copy(access_path(Path(urls.sqlite_path(url))), target)
        return True
    kept = open_access_store(url, durable=True)
    made = open_access_file(target)
    try:
        with kept.snapshot() as source, made.exclusive() as new:
            copy_rows(source, new, METADATA)
    finally:
        made.close()
        kept.close()
    return True


def load_access(source: Path, url: str) -> None:
    """Bring a saved access store back as that of the ledger at a URL."""
    saved = open_access_file(source)
    kept = open_access_store(url, durable=True)
    try:
        with saved.snapshot() as old, kept.exclusive() as new:
            copy_rows(old, new, METADATA)
    finally:
        kept.close()
        saved.close()
