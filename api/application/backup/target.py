"""Where a backup is restored to: a place that must be empty, and that gets the whole ledger at once."""

from contextlib import closing
from pathlib import Path

from api.application.backup.manifest import LOG
from domain.errors import NotCopyTarget
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


def put_files(aside: Path, path: Path) -> None:
    """Move a ledger's files to where they belong; the log comes last, and with it the ledger is there."""
    files = [each for each in aside.iterdir() if each.name.startswith(LOG) and not each.name.endswith(".lock")]
    for each in sorted(files, key=lambda file: file.name == LOG):
        sync_to_disk(each)
        each.rename(path.with_name(path.name + each.name.removeprefix(LOG)))
    sync_to_disk(path.absolute().parent)
