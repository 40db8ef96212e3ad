"""How many examples Hypothesis draws for a property: all of them in a thorough run, a tenth of them else."""

from typing import Any

from hypothesis import settings

THOROUGH, QUICK = 100, 10
EXAMPLES_MIN = 4


def examples(thorough: int, **more: Any) -> settings:
    """Return the settings of a property that a thorough run tries with this many examples."""
    assert settings.default
    share = settings.default.max_examples
    return settings(max_examples=max(EXAMPLES_MIN, thorough * share // THOROUGH), **more)
