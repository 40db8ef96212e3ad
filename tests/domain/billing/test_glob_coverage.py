"""One glob covers another where, and only where, no tag fits the other alone."""

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing.glob_coverage import fitting_text, glob_covers

globs = st.text(alphabet="ab*?", max_size=5) | st.sampled_from(("[ab]", "[!a]*", "a[a-b]", "[a", "[]a]*", "*[!ab]"))
TAGS = ["".join(letters) for length in range(6) for letters in product("ab[z", repeat=length)]


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("*", "acme-*", True),
        ("acme-*", "acme-1", True),
        ("acme-*", "*", False),
        ("a*c", "abc*c", True),
        ("?", "[0-9]", True),
        ("[0-9]*", "[0-8]*", True),
        ("[0-8]*", "[0-9]*", False),
        ("[!x]", "y", True),
        ("*a*", "a", True),
    ],
)
def test_examples(wide: str, narrow: str, covers: bool) -> None:  # noqa: FBT001
    assert glob_covers(wide, narrow) is covers


@given(globs, globs)
def test_coverage_is_right_for_all_short_tags(wide: str, narrow: str) -> None:
    alone = [tag for tag in TAGS if fnmatchcase(tag, narrow) and not fnmatchcase(tag, wide)]
    if glob_covers(wide, narrow):
        assert alone == []
    elif len(wide) + len(narrow) <= 5:
        assert alone


@given(globs)
def test_a_fitting_text_fits(glob: str) -> None:
    assert fnmatchcase(fitting_text(glob), glob)
