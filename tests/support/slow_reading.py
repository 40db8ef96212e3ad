"""Reading that takes longer than a page may wait, whatever it reads: so pages have it follow."""

from datetime import timedelta

import pytest

from api.web.pages import reading_time
from projections.stores import sqlite


def stop_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page wait for nothing from now on; of SQLite each step is looked at, since few are slow."""
    monkeypatch.setattr(reading_time, "BY_PAGE_MAX", timedelta(0))
    monkeypatch.setattr(sqlite, "STEPS_BETWEEN_LOOKS", 1)
