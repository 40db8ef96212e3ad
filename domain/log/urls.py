"""The URLs of stores: their kinds, and their form without the password."""

import re
from pathlib import Path

from domain.errors import UnknownStore

SQLITE = "sqlite:///"
POSTGRES = "postgresql://"
EXPECTED = f"{SQLITE}PATH, such as {SQLITE}tringledger.db, or {POSTGRES}USER:PASSWORD@HOST:PORT/DATABASE"

# The password ends at an @: one before any slash, else one before any question mark, else any. Of a URL that cannot be
# parsed, this hides too much rather than too little.
_PASSWORD = re.compile(r"^(\w*://[^:/@]*):(?:[^/]*|[^?]*|.*)@", re.DOTALL)
_SECRET_PARAMETER = re.compile(r"([?&]\w*(?:password|secret)=)[^&]*", re.IGNORECASE)


def redacted(url: str) -> str:
    """Return a URL without its password, for messages and logs."""
    return _SECRET_PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


def is_postgres(url: str) -> bool:
    """Whether a URL names a PostgreSQL database: a store that hosts share and that `tringledger migrate` creates."""
    return url.startswith(POSTGRES)


def sqlite_path(url: str) -> str:
    """Return the path in a SQLite URL; raises UnknownStore for any other URL."""
    path = url.removeprefix(SQLITE)
    if path in (url, ""):
        msg = f"the store {redacted(url)!r} is not known: expected {EXPECTED}"
        raise UnknownStore(msg)
    return path


def absolute(url: str) -> str:
    """Return a store's URL with an absolute path, so that it means the same in every working directory."""
    return f"{SQLITE}{Path(sqlite_path(url)).absolute()}" if url.startswith(SQLITE) else url
