"""``tringledger migrate``: create a ledger, or bring its tables up to date, once and before anything else uses it."""

from __future__ import annotations

import click

from api.cli.console import note
from api.cli.options import store_option


@click.command()
@store_option
def migrate(store: str | None) -> None:
    """Create the ledger where there is none, or bring the schema of an older one up to date.

    In PostgreSQL nothing creates tables but this, and `copy` into an empty database: run it once, and after each new
    version, with a role that may. The ledger's correlation and time zone are written into it when it is created:
    TRINGLEDGER_CORRELATION and TRINGLEDGER_TIMEZONE must be right at that moment. Running it again changes nothing,
    and several at once are safe.

    \b
    Example:
      TRINGLEDGER_STORE=postgresql://ledger@db.example.com/tringledger tringledger migrate
    """
    from api import settings
    from domain.ledger import SCHEMA, Ledger

    read = settings.load_settings(store=store)
    with Ledger(read.store, options=read.ledger_options, create=True) as ledger:
        said = f"ledger {ledger.shown_url}, correlation {ledger.correlation}, time zone {ledger.timezone}"
        if ledger.found_schema == SCHEMA:
            note(f"nothing to do: the schema is {SCHEMA}; {said}")
        elif ledger.found_schema:
            note(f"upgraded the schema from {ledger.found_schema} to {SCHEMA}; {said}")
        else:
            note(f"created, with schema {SCHEMA}: {said}")
