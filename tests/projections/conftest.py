"""What tests of read models start from: an empty ledger, since how its tables are made is tested once, not each time."""

import pytest

from tests.conftest import new_store
from tests.support.database_roles import make_ledger_of_service


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store of each kind in turn; in PostgreSQL an empty ledger with default options stands in it."""
    url: str = request.getfixturevalue("migrated") if request.param == "postgres" else new_store(request.param, request)
    make_ledger_of_service(url)
    return url
