"""A pooler in front of PostgreSQL: one that pools by session is used, one that pools by transaction is refused by name."""

import pytest

from domain.errors import PooledByTransaction
from domain.ledger import Ledger
from domain.outcomes import Recorded
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import cdr
from tests.support.pooler import pooler
from tests.support.postgres_server import Postgres

USAGE = 2


@pytest.fixture
def created(database: str) -> str:
    with opened(database) as ledger:
        record(ledger, cdr(1))
    return database


def test_a_pooler_by_transaction_is_refused_without_the_password(created: str, postgres: Postgres) -> None:
    socket = postgres.directory / ".s.PGSQL.5432"
    with pooler(socket, postgres.name_of(created), by_transaction=True) as url:
        with pytest.raises(PooledByTransaction, match=r"postgres:\*\*\*@127\.0\.0\.1.* pools by transaction; expected"):
            Ledger(url)
        said = run("status", "--store", url)
        assert (said.code, "pool_mode = session" in said.err) == (USAGE, True)


def test_a_pooler_by_session_is_as_good_as_the_server(created: str, postgres: Postgres) -> None:
    socket = postgres.directory / ".s.PGSQL.5432"
    with pooler(socket, postgres.name_of(created), by_transaction=False) as url, opened(url) as ledger:
        assert isinstance(record(ledger, cdr(2))[0], Recorded)
        assert ledger.head() == 2
