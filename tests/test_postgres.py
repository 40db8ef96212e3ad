"""The tests' own PostgreSQL: a database each, and a server that can be stopped and started."""

import psycopg
import pytest

from tests.postgres import Postgres


def test_a_database_is_empty_and_gone_afterwards(postgres: Postgres) -> None:
    with postgres.database() as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_killed_backend_and_a_stopped_server_are_felt_and_mended(postgres: Postgres, database: str) -> None:
    with psycopg.connect(database) as connection:
        assert postgres.kill_backends(database) == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database)
    postgres.start()
    psycopg.connect(database).close()
