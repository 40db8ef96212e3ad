"""The tests' own PostgreSQL: a database each, and a server that can be stopped and started."""

import psycopg
import pytest

from tests.support.postgres_server import Postgres


def test_a_database_is_empty_and_whoever_stays_is_cut_off(postgres: Postgres) -> None:
    with postgres.database() as url:
        left = psycopg.connect(url, autocommit=True)
        left.execute("CREATE SCHEMA mine; CREATE TABLE mine.some (thing int); CREATE TABLE other (thing int)")
    with postgres.database() as url, psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname IN ('mine', 'public')").fetchone()
    assert found == (0,)
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")


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
