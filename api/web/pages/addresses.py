"""Addresses of pages, with their parameters."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus


def address(path: str, *queries: dict[str, Any], **changes: Any) -> str:
    """Return the address of a page with these parameters; None and empty ones are omitted, later ones win."""
    merged: dict[str, Any] = {}
    for query in (*queries, changes):
        merged.update({name.rstrip("_"): value for name, value in query.items()})
    given = [(name, value) for name, value in merged.items() if value not in (None, "")]
    return f"{path}?{'&'.join(f'{_quoted(name)}={_quoted(str(value))}' for name, value in given)}" if given else path


# A page has hundreds of addresses with the same few names and values.
_quoted = lru_cache(maxsize=4096)(quote_plus)
