"""``tringledger migrate``: create a ledger or update its schema, before anything else uses it."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from api.cli.console import note
from api.cli.exit_codes import FINDING
from api.cli.ledger_access import wait_for_store
from api.cli.options import store_option, wait_option

if TYPE_CHECKING:
    from domain.ledger import Ledger

DROPPED = "the read models have a new form, and are empty now: run `tringledger rebuild`, or let a service fill them"


@click.command()
@click.option(
    "--service-role",
    "service",
    metavar="ROLE",
    multiple=True,
    help="Give this database role what services need, and no more (repeatable).",
)
@click.option(
    "--reader-role",
    "reader",
    metavar="ROLE",
    multiple=True,
    help="Give this database role what reading needs, and no more (repeatable).",
)
@click.option(
    "--check-rights",
    is_flag=True,
    help="Change nothing: say what the roles lack; without a role, what your own lacks to serve.",
)
@click.option(
    "--check", is_flag=True, help="Change nothing: say what there is to migrate; exit code 1 if there is anything."
)
@wait_option
@store_option
def migrate(
    service: tuple[str, ...], reader: tuple[str, ...], check_rights: bool, check: bool, wait: float, store: str | None
) -> None:
    """Create a ledger, or update the schema of an older one.

    In PostgreSQL, run it once, and after each new version, with a database role that may create schemas: it owns all
    tables then, and services and readers can use roles that own nothing. The correlation and the billing time zone are
    fixed when the ledger is created, so set TRINGLEDGER_CORRELATION and TRINGLEDGER_TIMEZONE before. You can run it
    again, or several times at once.

    \b
    Examples:
      TRINGLEDGER_STORE=postgresql://ledger@db.example.com/tringledger tringledger migrate
      tringledger migrate --service-role ledger_service --reader-role analyst
      tringledger migrate --check-rights --service-role ledger_service
      tringledger migrate --check
    """
    from api import settings
    from domain.ledger import Ledger
    from domain.log import urls

    read = settings.load_settings(store=store)
    if (service or reader or check_rights) and not urls.is_postgres(read.store):
        msg = f"roles and rights belong to PostgreSQL; got the store {read.store}"
        raise click.UsageError(msg)
    if wait:
        wait_for_store(read.store, wait)
    if check:
        _check(read.store)
        return
    if check_rights:
        _check_rights(read.store, service, reader)
        return
    with Ledger(read.store, options=read.ledger_options, create=True) as ledger:
        _say(ledger)
        if urls.is_postgres(read.store):
            _finish_postgres(ledger, service, reader)


def _check(url: str) -> None:
    found = _to_migrate(url)
    if found:
        click.echo(found)
        sys.exit(FINDING)
    note("nothing is to be migrated")


def _to_migrate(url: str) -> str:
    """Return as a sentence what there is to migrate, or nothing; raises LedgerError for a ledger that is too new."""
    from api.cli import database_roles
    from domain.ledger import Ledger
    from domain.log import open as address
    from domain.log import urls

    shown, found, known = urls.redacted(url), 0, 0
    if address.may_exist(url):
        with closing(address.open_log(url)) as log:
            found, known = int(log.facts().get("schema", 0)), log.schema
    if not found:
        return f"there is no ledger at {shown}: `tringledger migrate` creates one"
    if found < known:
        return f"the ledger at {shown} has schema {found}: `tringledger migrate` brings it to {known}"
    with Ledger(url) as ledger:  # Refuses a newer one.
        if urls.is_postgres(url) and database_roles.lacks_other_schemas(ledger):
            return (
                f"the read models of the ledger at {shown} have the form of another version: `tringledger migrate` makes"
                " them anew, empty, and a service fills them"
            )
    return ""


def _say(ledger: Ledger) -> None:
    said = f"ledger {ledger.shown_url}, correlation {ledger.correlation}, time zone {ledger.timezone}"
    schema = ledger.store.schema
    if ledger.found_schema == schema:
        note(f"schema {schema} is up to date: {said}")
    elif ledger.found_schema:
        note(f"upgraded from schema {ledger.found_schema} to {schema}: {said}")
    else:
        note(f"created with schema {schema}: {said}")


def _finish_postgres(ledger: Ledger, service: tuple[str, ...], reader: tuple[str, ...]) -> None:
    from api.cli import database_roles

    if database_roles.make_other_schemas(ledger):
        note(DROPPED)
    for sentence in database_roles.grant_rights(ledger.url, service, reader):
        note(sentence)


def _check_rights(url: str, service: tuple[str, ...], reader: tuple[str, ...]) -> None:
    from api.cli import database_roles

    found = database_roles.missing_rights(url, service, reader)
    for sentence in found:
        click.echo(sentence)
    if found:
        sys.exit(FINDING)
    note("nothing is lacking")
