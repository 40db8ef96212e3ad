"""Stores for the tests of commands that need the log only: new ones of each kind, made ready as an operator would."""

import pytest

from tests.conftest import new_store
from tests.support.command import run
from tests.support.tringme import KEY


def named_store(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a new store and the private key in the environment; in PostgreSQL the ledger is made, too."""
    url = new_store(kind, request)
    monkeypatch.setenv("TRINGLEDGER_STORE", url)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    if kind == "postgres":
        assert run("migrate").code == 0
    return url
