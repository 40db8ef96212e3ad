"""What is pinned stays: names, numbers and shapes that stored ledgers, other programs and users' scripts rely on."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.pins import collect

PINNED = Path(__file__).with_name("pins.json")


@pytest.fixture(scope="module")
def present() -> dict[str, Any]:
    """Return what there is now, whatever settings the environment has."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("TRINGLEDGER_", "TRINGME_"))]:
            patch.delenv(name)
        return collect()


def test_everything_that_was_pinned_is_still_there_and_the_same(present: dict[str, Any]) -> None:
    pinned = json.loads(PINNED.read_bytes())
    # Both as JSON has them: a tuple is a list.
    assert list(_changes("", pinned, json.loads(json.dumps(present)))) == []


def _changes(where: str, pinned: Any, present: Any) -> Iterator[str]:
    """Yield what is missing or differs, and what is new but demanded of those who never heard of it."""
    if not isinstance(pinned, dict) or not isinstance(present, dict):
        if pinned != present:
            yield f"{where}: got {present!r}; expected {pinned!r}"
        return
    for name, wanted in pinned.items():
        path = f"{where} > {name}" if where else name
        if name in present:
            yield from _changes(path, wanted, present[name])
        else:
            yield f"{path}: missing"
    for name in present.keys() - pinned.keys():
        if isinstance(present[name], dict) and present[name].get("required") is True:
            yield f"{where} > {name}: new and required; expected none that earlier callers do not know"


@pytest.mark.parametrize(
    ("pinned", "present"),
    [
        ({"cdrs": {"tag": "TEXT"}}, {"cdrs": {}}),
        ({"cdrs": {"tag": "TEXT"}}, {"cdrs": {"tag": "BLOB", "src": "TEXT"}}),
        ({"cdrs": ["tag", "src"]}, {"cdrs": ["src", "tag"]}),
        ({"options": {}}, {"options": {"--new": {"required": True}}}),
    ],
)
def test_a_loss_another_value_another_order_and_a_new_demand_are_changes(pinned: Any, present: Any) -> None:
    assert len(list(_changes("", pinned, present))) == 1


def test_an_addition_is_none() -> None:
    assert list(_changes("", {"tables": {"cdrs": None}}, {"tables": {"cdrs": None, "proofs": None}})) == []
