"""A plugin of pytest for `make mutants`, where the first failure ends a run: it comes soon, and is not looked into.

The tests that took least time come first, and Hypothesis does not look for the smallest example that fails.
"""

import json
from pathlib import Path

import pytest
from hypothesis import Phase, settings

DURATIONS = Path("mutmut-stats.json")


def pytest_sessionstart() -> None:
    """Have Hypothesis draw examples and nothing more."""
    settings.register_profile("mutants", settings.default, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the time that each took when mutmut ran all of them; before that, leave them as they are."""
    if DURATIONS.exists():
        seconds = json.loads(DURATIONS.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
