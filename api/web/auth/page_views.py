"""Which pages were viewed a moment ago: what is fetched just after as a part of them is not viewed once more.

These are their fragments, the live page's stream, and the page that a redirect opens, such as that of a search's only hit.
"""

from collections import OrderedDict
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote

from domain import times

SECONDS_MAX = 60
KEPT_MAX = 1_000
FRAGMENTS = "/fragments/"
LIVE_PAGE, LIVE_STREAM = "/", "/live/events"
# What a page has in its address beside the filters, and its fragments do not.
BESIDE_FILTERS = frozenset({"sort", "cols", "cursor", "page", "whole", "min_position", "by", "measure", "scale"})
PAGES_ELSEWHERE = {"operator-events": "/events", "quality": "/traffic/quality"}

Key = TypeVar("Key")
View = tuple[str, str, str, tuple[tuple[str, str], ...]]


class PageViews:
    """The latest views of pages, by user; each process has its own."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: OrderedDict[View, int] = OrderedDict()
        self._opened: OrderedDict[tuple[str, str, str, str], int] = OrderedDict()

    def add_opened(self, who: str, how: str, to: SplitResult, now: int) -> None:
        """Note that a redirect opens a page of ours at a time: the request for it, which follows, is no view of its own."""
        _note(self._opened, (who, how, unquote(to.path), to.query), now)

    def add(self, who: str, how: str, path: str, query: str, now: int) -> bool:
        """Note a view at a time (microseconds, UTC); return whether it belongs to one that was noted just before."""
        if path.startswith((FRAGMENTS, LIVE_STREAM)):
            return _is_recent(self._seen.get((who, how, *_page_of(path.removeprefix(FRAGMENTS), query))), now)
        view = (who, how, path, _filters(path, query))
        _note(self._seen, view, now)
        return _is_recent(self._opened.pop((who, how, path, query), None), now)


def _note(noted: OrderedDict[Key, int], key: Key, now: int) -> None:
    noted[key] = now
    noted.move_to_end(key)
    if len(noted) > KEPT_MAX:
        noted.popitem(last=False)


def _is_recent(at: int | None, now: int) -> bool:
    return at is not None and 0 <= now - at <= SECONDS_MAX * times.SECOND


def _page_of(part: str, query: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the path and the filters of the page that a fragment belongs to."""
    if part == LIVE_STREAM:
        return LIVE_PAGE, ()
    name, _, rest = part.partition("/")
    if name == "metrics":
        return f"/accounts/{rest}", ()
    if name == "largest":
        return f"/accounts/{dict(parse_qsl(query)).get('account', '')}", ()
    if name == "statements":
        return f"/{part}", _filters(f"/{part}", query)
    path = PAGES_ELSEWHERE.get(name, f"/{name}")
    return path, _filters(path, query)


def _filters(path: str, query: str) -> tuple[tuple[str, str], ...]:
    """Return the filters of an address in any order; of an account's page and the live page none: their fragments do not have them."""
    if path == LIVE_PAGE or path.startswith("/accounts/"):
        return ()
    return tuple(sorted((name, value.strip()) for name, value in parse_qsl(query) if name not in BESIDE_FILTERS))
