"""Connections to PostgreSQL: few, given back when idle, and one always there for callbacks; time-outs, waits, and who holds a lock."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from api.cli import ledger_access
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.log.postgres import connections as postgres_connections
from domain.log.postgres.lock import PostgresLock
from domain.notices.signature import Keyring
from domain.outcomes import Recorded
from projections.stores.generations import RebuildRunning, generations, open_current
from projections.stores.postgres_engine import ONLY_ONE, REBUILDING
from tests.support.command import run
from tests.support.database_roles import SERVICE, Roles, three_roles
from tests.support.ledgers import opened, record
from tests.support.notices import FORMULA, KEY, cdr
from tests.support.postgres_server import Postgres

LIMIT = 8


@pytest.fixture
def limited(postgres: Postgres, database: str) -> Iterator[Roles]:
    """Return three roles of which the service may have LIMIT connections."""
    with three_roles(postgres, database) as roles:
        assert run("migrate", "--service-role", SERVICE, "--store", roles.owner).code == 0
        postgres.execute(f"ALTER ROLE {SERVICE} CONNECTION LIMIT {LIMIT}")
        yield roles
        postgres.execute(f"ALTER ROLE {SERVICE} CONNECTION LIMIT -1")


def count(postgres: Postgres, url: str) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'tringledger%%'"
    found: int = postgres.execute(query, postgres.name_of(url))[0][0]
    return found


def test_callbacks_are_recorded_while_pages_have_taken_all_other_connections(limited: Roles) -> None:
    with closing(Ledger(limited.service, Keyring(FORMULA, [KEY]))) as ledger, ExitStack() as pages:
        ledger.store.reserve_writer()
        with pytest.raises(psycopg.OperationalError, match="too many connections"):  # noqa: PT012
            while True:
                pages.enter_context(closing(psycopg.connect(limited.service)))
        with pytest.raises(StoreUnavailable, match="too many connections"):
            open_current(ledger)
        outcomes = [record(ledger, cdr(0, tag=f"t{number}"))[0] for number in range(20)]
        assert {type(outcome) for outcome in outcomes} == {Recorded}


def test_a_process_reads_with_no_more_connections_than_it_may_and_gives_idle_ones_back(
    database: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "LOCK_SECONDS_MAX", 0.2)
    with opened(database, LedgerOptions(connections_max=3)) as ledger, closing(open_current(ledger)) as store:
        pool = ledger.store._connections  # type: ignore[attr-defined]
        with ExitStack() as all_of_them:
            for _ in range(3):
                all_of_them.enter_context(pool.borrow())
                all_of_them.enter_context(store.snapshot())
            assert count(postgres, database) == 6
            with pytest.raises(StoreUnavailable, match="all connections of this process are busy"):
                ledger.head()
        assert ledger.head() == 0
        assert count(postgres, database) == 4


def test_the_read_models_connections_limit_statements_waits_and_pauses(database: str) -> None:
    with opened(database) as ledger, closing(open_current(ledger)) as store, store.snapshot() as connection:
        found = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert found == ["5min", "30s", "1h"]


def test_a_server_that_is_not_there_yet_is_waited_for(postgres: Postgres, database: str) -> None:
    with opened(database):
        pass
    postgres.stop()
    starting = threading.Timer(0.5, postgres.start)
    starting.start()
    ledger_access.wait_for_store(database, 60)
    starting.join()
    with opened(database) as ledger:
        assert ledger.head() == 0


def test_a_wait_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StoreUnavailable, match="refused"):
        ledger_access.wait_for_store("postgresql://u@127.0.0.1:1/d", 0.1)
    assert capsys.readouterr().err.startswith(
        "waiting up to 0.1 s: the store postgresql://u@127.0.0.1:1/d cannot be used"
    )


def test_whoever_holds_a_lock_is_named(database: str) -> None:
    with opened(database) as ledger:
        kept = generations(ledger)
        with closing(kept.follower_lock()) as first, closing(kept.follower_lock()) as second:
            assert (first.acquire(), second.acquire()) == (True, False)
            assert (first.holder(), "role postgres, tringledger-lock-follow" in second.holder()) == ("", True)
        with closing(ledger.store.lock("forward")) as one, closing(ledger.store.lock("forward")) as other:
            assert (one.acquire(), other.acquire()) == (True, False)
            assert isinstance(other, PostgresLock)
            assert "role postgres, tringledger-lock-forward" in other.holder()


def test_a_rebuild_names_a_stranger_that_holds_its_lock(database: str) -> None:
    with opened(database) as ledger, psycopg.connect(f"{database}&application_name=strange") as stranger:
        stranger.execute("SELECT pg_advisory_lock(%s, %s)", (ONLY_ONE, REBUILDING))
        with (
            pytest.raises(RebuildRunning, match=r"held by process \d+, role postgres, strange"),
            generations(ledger).rebuild_lock(),
        ):
            pass
