"""The URLs of stores: which kind of store a URL names, and how it is shown without its password."""

import re
from pathlib import Path

from domain.errors import UnknownStore

SQLITE = "sqlite:///"


POSTGRES = "postgresql://"


EXPECTED = f"{SQLITE}PATH, such as {SQLITE}tringledger.db, or {POSTGRES}USER:PASSWORD@HOST:PORT/DATABASE"


# The first form in which there is an @: before any slash, before any question mark, or anywhere. Too much is hidden of
# an address that nobody can read, rather than too little.
_PASSWORD = re.compile(r"^(\w*://[^:/@]*):(?:[^/]*|[^?]*|.*)@", re.DOTALL)


_SECRET_PARAMETER = re.compile(r"([?&]\w*(?:password|secret)=)[^&]*", re.IGNORECASE)


def redacted(url: str) -> str:
    """Return an address as it may be printed and logged: without its password."""
    return _SECRET_PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", url))


def is_postgres(url: str) -> bool:
    """Whether an address names a PostgreSQL database: a store that many hosts share, and that somebody migrates."""
    return url.startswith(POSTGRES)


def sqlite_path(url: str) -> str:
    """Return the path that a SQLite store's address names; raises UnknownStore for any other address."""
    path = url.removeprefix(SQLITE)
    if path in (url, ""):
        msg = f"the store {redacted(url)!r} is not known: expected {EXPECTED}"
        raise UnknownStore(msg)
    return path


def absolute(url: str) -> str:
    """Return a store's address so that it means the same in every working directory."""
    return f"{SQLITE}{Path(sqlite_path(url)).absolute()}" if url.startswith(SQLITE) else url
