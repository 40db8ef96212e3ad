"""Ledgers of line rule 1 go on placing notices by it: the samples of that rule yield what they did (SPEC 9.0, 9.2)."""

from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.database_edits import as_made_before
from tests.support.ledgers import opened
from tests.support.notices import KEY
from tests.support.sample_results import assert_yields
from tests.support.samples import sample

FOLDER = Path(__file__).parent / "line-rule-1"


@pytest.mark.parametrize("name", ["edges", "busy-lines"])
def test_the_samples_of_line_rule_1_yield_what_they_did(
    name: str, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    with opened(store_url):
        pass
    as_made_before(store_url)
    assert run("import", str(FOLDER / f"{name}.ndjson"), "--store", store_url).code == 0
    assert_yields(sample(name, FOLDER), store_url)
