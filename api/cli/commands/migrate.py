"""``tringledger migrate``: create a ledger or update its schema, before anything else uses it."""

from __future__ import annotations

import click

from api.cli.console import note
from api.cli.options import store_option


@click.command()
@store_option
def migrate(store: str | None) -> None:
    """Create a ledger, or update the schema of an older one.

    In PostgreSQL, only this command and `copy` create tables. Run it once, and after each new version, with a database
    role that may create tables. The correlation and the billing time zone are fixed when the ledger is created, so set
    TRINGLEDGER_CORRELATION and TRINGLEDGER_TIMEZONE before. You can run it again, or several times at once.

    \b
    Example:
      TRINGLEDGER_STORE=postgresql://ledger@db.example.com/tringledger tringledger migrate
    """
    from api import settings
    from domain.ledger import Ledger

    read = settings.load_settings(store=store)
    with Ledger(read.store, options=read.ledger_options, create=True) as ledger:
        said = f"ledger {ledger.shown_url}, correlation {ledger.correlation}, time zone {ledger.timezone}"
        schema = ledger.store.schema
        if ledger.found_schema == schema:
            note(f"schema {schema} is up to date: {said}")
        elif ledger.found_schema:
            note(f"upgraded from schema {ledger.found_schema} to {schema}: {said}")
        else:
            note(f"created with schema {schema}: {said}")
