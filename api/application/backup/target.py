"""Where a backup is restored to: a place that must be empty, and that gets the whole ledger at once."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from api.application.backup.manifest import LOG
from domain.errors import NotCopyTarget, StoreUnavailable
from domain.log import open as address
from domain.log import urls
from projections.atomic_file import sync_to_disk


def check_empty(url: str) -> None:
    """Raise NotCopyTarget where the store at a URL has anything; UnknownStore, StoreUnavailable."""
    address.check_url(url)
    if urls.is_postgres(url):
        with closing(address.open_log(url)) as log:
            facts = log.facts()
        if facts:
            msg = (
                f"{urls.redacted(url)} has ledger {facts.get('id', 'of a copy under way')}: expected an empty database"
            )
            raise NotCopyTarget(msg)
        return
    path = Path(urls.sqlite_path(url))
    if found := sorted(each.name for each in path.parent.glob(f"{path.name}*")):
        msg = f"{path.parent.absolute()} has {', '.join(found)}: expected no file whose name begins with {path.name}"
        raise NotCopyTarget(msg)


@contextmanager
def restoring_aside(home: Path, name: str) -> Iterator[Path]:
    """Return a temporary folder in ``home`` for what is restored, so that files can be moved from there; raises StoreUnavailable."""
    aside = home / f".{name}.restoring"
    try:
        home.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)  # What a restore that was killed has left.
        aside.mkdir(mode=0o700)
        yield aside
    except OSError as error:
        msg = f"nothing can be restored by way of {aside}: {error.strerror or error}"
        raise StoreUnavailable(msg) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def put_files(aside: Path, path: Path) -> None:
    """Move a ledger's files to where they belong; the log comes last, and with it the ledger is there."""
    files = [each for each in aside.iterdir() if each.name.startswith(LOG) and not each.name.endswith(".lock")]
    for each in sorted(files, key=lambda file: file.name == LOG):
        sync_to_disk(each)
        each.rename(path.with_name(path.name + each.name.removeprefix(LOG)))
    sync_to_disk(path.absolute().parent)
