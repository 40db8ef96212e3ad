"""How long a page itself reads: what takes longer follows it as a fragment."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from api.application.read_model_pool import ReadSession
from projections.stores.base import TimeLimitReached

BY_PAGE_MAX = timedelta(milliseconds=15)

Result = TypeVar("Result")


def read_by_page(room: ReadSession, read: Callable[[], Result]) -> Result | None:
    """Return what is read, or None where that takes longer than a page may wait."""
    try:
        with room.store.time_limit(room.connection, BY_PAGE_MAX):
            return read()
    except TimeLimitReached:
        return None
