"""Failures as users of the web read them: without the address of the store, which names a path or a host.

What a command prints and the service's own log keep it: whoever reads those has the machine.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.log.urls import SQLITE, sqlite_path

STORE = "the store"
# "The ledger at ADDRESS" and "the store ADDRESS" are the store.
_BEFORE = r"(?:\bthe (?:store|ledger at) )?"
_SERVER = re.compile(rf"{_BEFORE}postgresql(?:\+\w+)?://[^\s,;'\"]*[^\s,;:.'\"]")
_CONNECTED = re.compile(r"connection to server (?:at|on socket) \"[^\"]*\"(?: \([^)]*\))?(?:, port \d+)?")
_HOST = re.compile(r"\bhost(?: name)? (['\"])[^'\"]*\1")


def hide_address(text: str, url: str) -> str:
    """Return a text in which the address of the store at a URL, and of the files beside it, is called the store."""
    if url.startswith(SQLITE):
        return _files_of(url).sub(STORE, text)
    return _HOST.sub("the host", _CONNECTED.sub("connection to the server", _SERVER.sub(STORE, text)))


def hide_addresses(document: Any, url: str) -> Any:
    """Return a document of dicts, lists and values with such texts."""
    if isinstance(document, str):
        return hide_address(document, url)
    if isinstance(document, dict):
        return {name: hide_addresses(value, url) for name, value in document.items()}
    return [hide_addresses(each, url) for each in document] if isinstance(document, list) else document


@lru_cache(maxsize=8)
def _files_of(url: str) -> re.Pattern[str]:
    """Return the pattern of a file's path and of those beside it, whose names begin as its own does."""
    path = Path(sqlite_path(url))
    folders = {f"{each.parent}/" for each in (path, path.absolute(), path.resolve()) if path.name != str(each)}
    folder = f"(?:{'|'.join(re.escape(each) for each in sorted(folders, key=len, reverse=True))})"
    # A name without a suffix may be a word of the message, so that it is meant only after its folder.
    place = f"{folder}?" if path.suffix else folder
    return re.compile(rf"{_BEFORE}(?<![\w.])(?:{SQLITE})?{place}{re.escape(path.name)}(?!\w)(?:[.-]\w[\w-]*)*")
