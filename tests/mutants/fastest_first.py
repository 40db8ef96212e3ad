"""A plugin of pytest for `make mutants`: the tests that took least time come first, for the first failure ends a run."""

import json
from pathlib import Path

import pytest

DURATIONS = Path("mutmut-stats.json")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the time that each took when mutmut ran all of them; before that, leave them as they are."""
    if DURATIONS.exists():
        seconds = json.loads(DURATIONS.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
