"""What all tests share: how hard Hypothesis tries, which tests run first, and an address for a new store of each kind.

``make test`` tries each property with a tenth of its examples, ``make test-thorough`` with most of them, and with all where
you give it ``PROFILE=whole``; ``effort.py`` says how. Where CI is set the examples are the same every time; elsewhere each
run draws new ones, so that many short runs find what no single one does.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import effort
from tests.support.database_roles import service_database
from tests.support.ledger_databases import ledger_database
from tests.support.postgres_server import Postgres, start_or_share

# Making a ledger for each example is slow in Hypothesis's eyes, and what these tests are about.
for profile, examples in (("quick", effort.QUICK), ("thorough", effort.THOROUGH), ("whole", effort.WHOLE)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
        derandomize="CI" in os.environ,
    )
settings.load_profile("quick")

STORES = ("sqlite", "postgres")
# The same for what has its turn on PostgreSQL in the thorough run.
SQLITE_FIRST = ("sqlite", pytest.param("postgres", marks=pytest.mark.thorough))
# Whose tests run on PostgreSQL in `make test`, too: the contract of the log, how read models are made, and some of each way in and
# out. What else runs on both kinds of store has its turn on PostgreSQL in `make test-thorough`.
SOON_ON_POSTGRES = (
    "tests.domain.",
    "tests.projections.stores.",
    "tests.projections.building.test_rebuild.",
    "tests.projections.test_frames.",
    "tests.application.backup.",
    "tests.application.test_month_closing.",
    "tests.cli.test_import.",
    "tests.cli.test_migrate.",
    "tests.cli.test_quarantine.",
    "tests.web.auth.test_store.",
    "tests.web.json_api.test_suspects.",
)
# PostgreSQL over TCP, with the role of a service that owns nothing; the owner has migrated.
SERVICE = "service"
# What runs so, too: the contract of the log, and what needs other rights than it. All other operators' commands write what corrections
# do; the rest differ in what they read, from the log or from files, and in what they print.
OF_SERVICE = (
    "tests.domain.",
    "tests.projections.building.test_rebuild.",
    "tests.projections.proofs.test_prover.",
    "tests.projections.test_frames.",
    "tests.application.backup.",
    "tests.web.auth.test_store.",
    *(f"tests.cli.test_{name}." for name in ("close", "corrections", "import", "quarantine", "rebuild")),
)
# By the name of a fixture: what a test needs that uses it, and so can be left out by.
NEEDS = {"postgres": "postgres", "database": "postgres", "browser": "browser"}
# Started first, so that no worker is left alone with one of them at the end; the longest first.
HEAVIEST = (
    "tests/e2e/rehearsal/",
    "tests/benchmarks/",
    "tests/processes/test_crash",
    "tests/e2e/",
    "tests/processes/",
    "tests/cli/test_rebuild_dask",
    "tests/projections/building/",
    "tests/projections/",
)
# What starts services, clusters or a browser, and so takes seconds.
SLOW = (
    "tests/processes/",
    "tests/e2e/",
    "tests/cli/test_rebuild_dask",
    "tests/cli/test_tail",
    "tests/cli/test_rehearse",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a store on each kind, or on those that its mark ``only_on`` names.

    What ``SOON_ON_POSTGRES`` does not name has its turn on PostgreSQL in the thorough run. There what ``OF_SERVICE`` names
    is tested with a service's role as well.
    """
    for name in {"store", "store_url", "empty_store_url"}.intersection(metafunc.fixturenames):
        mark = metafunc.definition.get_closest_marker("only_on")
        kinds: list[Any] = list(mark.args) if mark else [*STORES]
        if not mark and not _is_in(metafunc, SOON_ON_POSTGRES):
            kinds = [*SQLITE_FIRST]
        if not mark and _is_in(metafunc, OF_SERVICE):
            kinds.append(pytest.param(SERVICE, marks=pytest.mark.thorough))
        metafunc.parametrize(name, kinds, indirect=True)


def _is_in(metafunc: pytest.Metafunc, modules: tuple[str, ...]) -> bool:
    """Whether a test's module is one of these, or in one of these packages."""
    return f"{metafunc.module.__name__}.".startswith(modules)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser and what is slow, and put the heaviest files first."""
    for item in items:
        for marker in {NEEDS[name] for name in getattr(item, "fixturenames", ()) if name in NEEDS}:
            item.add_marker(marker)
        callspec = getattr(item, "callspec", None)
        values = [each for each in callspec.params.values() if isinstance(each, str)] if callspec else []
        if {"postgres", SERVICE}.intersection(values):
            item.add_marker("postgres")
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((place for place, path in enumerate(HEAVIEST) if item.nodeid.startswith(path)), len(HEAVIEST))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a PostgreSQL server that is started once it is asked for, one for all tests of a worker."""
    server = start_or_share()
    yield server
    server.end()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Return the address of an empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def migrated(postgres: Postgres) -> Iterator[str]:
    """Return the address of a PostgreSQL database with an empty ledger."""
    with ledger_database(postgres) as url:
        yield url


@pytest.fixture
def service_url(postgres: Postgres) -> Iterator[str]:
    """Return the address of a migrated database without a ledger, over TCP with the role of a service."""
    with service_database(postgres) as url:
        yield url


def new_store(kind: str, request: pytest.FixtureRequest) -> str:
    """Return the address of a store that does not exist yet."""
    if kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/ledger.db"
    url: str = request.getfixturevalue("service_url" if kind == SERVICE else "database")
    return url


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store that does not exist yet, of each kind in turn."""
    return new_store(request.param, request)


@pytest.fixture
def empty_store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store that does not exist yet, for a ledger whose options are not the default ones."""
    return new_store(request.param, request)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing is green by being left out: where CI is set, a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if "CI" in os.environ and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
