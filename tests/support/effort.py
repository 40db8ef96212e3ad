"""How many examples Hypothesis draws for a property: all that it names with the profile ``whole``, else a part of them."""

from typing import Any

from hypothesis import settings

# In percent of what a property names. A thorough run is a part of CI, which has twenty minutes.
WHOLE, THOROUGH, QUICK = 100, 60, 10
EXAMPLES_MIN = 4


def examples(whole: int, **more: Any) -> settings:
    """Return the settings of a property that is tried with this many examples where it is tried with all."""
    assert settings.default
    share = settings.default.max_examples
    return settings(max_examples=max(EXAMPLES_MIN, whole * share // WHOLE), **more)
