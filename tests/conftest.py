"""What all tests share: how hard Hypothesis tries, and an address for a new store of each kind.

``ci`` draws the same examples every time, more of them; ``dev`` draws new ones each time, so that many short runs find
what no single one does. Choose with ``--hypothesis-profile``; where CI is set, ``ci`` is the default.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres_server import Postgres

# Making a ledger for each example is slow in Hypothesis's eyes, and what these tests are about.
_CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("dev", max_examples=40, deadline=None, suppress_health_check=_CHECKS)
settings.register_profile("ci", max_examples=100, deadline=None, suppress_health_check=_CHECKS, derandomize=True)
settings.load_profile("ci" if "CI" in os.environ else "dev")

STORES = ("sqlite", "postgres")
STORES_OF_READ_MODELS = ("sqlite",)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a PostgreSQL server that is started once it is asked for, one for the whole run."""
    server = Postgres()
    yield server
    server.end()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Return the address of an empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


def new_store(kind: str, request: pytest.FixtureRequest) -> str:
    """Return the address of a store that does not exist yet."""
    if kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/ledger.db"
    url: str = request.getfixturevalue("database")
    return url


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store that does not exist yet, of each kind in turn: for what concerns the log."""
    return new_store(request.param, request)


@pytest.fixture(params=STORES)
def whole_store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store that does not exist yet, of each kind that has read models too."""
    return new_store(request.param, request)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing is green by being left out: where CI is set, a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if "CI" in os.environ and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
