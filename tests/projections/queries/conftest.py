"""What tests of queries share: the read models of a sample, made once for all of them, since they only read."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from tests.conftest import SQLITE_FIRST
from tests.support.export_ledgers import a_ledger, record_sample


@pytest.fixture(scope="session", params=SQLITE_FIRST)
def sampled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Read the read models of the sample ``adverse``, on each store."""
    with a_ledger(_place(request, tmp_path_factory)) as case:
        record_sample(case, "adverse")
        with case.store.snapshot() as reading:
            yield reading


def _place(request: pytest.FixtureRequest, paths: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{paths.mktemp('sampled')}/t.db"
    databases = request.getfixturevalue("postgres").database()
    request.addfinalizer(lambda: databases.__exit__(None, None, None))
    url: str = databases.__enter__()
    return url
