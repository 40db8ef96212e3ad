"""The notify path of an access log: which logged requests were callbacks, and which may have been to another path."""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from api.urls import plain_path

ANYTHING = "*"
_OF_TRINGME = re.compile(rb"(^|&)f=tm(&|$)")


class NotifyPath:
    """The path that TringMe called, as a proxy may write it (SPEC 9.4).

    It is taken percent-encoded, with repeated slashes, and with one at its end, as the service takes it. ``*`` in it stands
    for any text: a proxy may log the path with a prefix that it removes.
    """

    def __init__(self, path: str) -> None:
        """Match a path such as ``/notify`` or ``*/notify``."""
        begins_anyhow = path.startswith(ANYTHING)
        parts = [re.escape(part) for part in (path if begins_anyhow else plain_path(path)).split(ANYTHING)]
        self._pattern = re.compile(".*".join(parts), re.DOTALL)
        self._path = path.encode()
        self._takes = lru_cache(maxsize=1024)(self._match)

    def takes(self, path: bytes) -> bool:
        """Whether a logged path is this one."""
        return path == self._path or self._takes(path)

    def _match(self, path: bytes) -> bool:
        plain = plain_path(unquote_to_bytes(path).decode(errors="surrogateescape"))
        return self._pattern.fullmatch(plain) is not None


def is_of_tringme(query: bytes) -> bool:
    """Whether a query has ``f=tm``, as all notifications have."""
    return _OF_TRINGME.search(query) is not None
