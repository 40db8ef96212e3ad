"""PostgreSQL databases in which a ledger stands already, as `migrate` makes it with default settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.cli.database_roles import make_other_schemas
from domain.ledger import Ledger
from tests.support.postgres_server import Postgres


def make_ledger(url: str) -> None:
    """Make a ledger with the default options in a database, and the schemas of what stands beside its log."""
    with Ledger(url, create=True) as ledger:
        make_other_schemas(ledger)


@contextmanager
def ledger_database(postgres: Postgres) -> Iterator[str]:
    """Give the address of a database with an empty ledger.

    All such ledgers of a run have one identity and one time of creation, since they are copies; a test that compares two
    ledgers makes the second one itself.
    """
    with postgres.copy_of("ledger", make_ledger) as url:
        yield url
