"""What tests of read models start from: an empty ledger, since how its tables are made is tested once, not each time."""

import pytest

from tests.conftest import new_store


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store of each kind in turn; in PostgreSQL an empty ledger with default options stands in it."""
    return new_store("sqlite", request) if request.param == "sqlite" else request.getfixturevalue("migrated")
