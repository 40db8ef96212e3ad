"""``tringledger party``: check a party file, publish it, and list published versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import author_options, format_option, store_option

if TYPE_CHECKING:
    from domain.billing.party import Party

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def party() -> None:
    """Check and publish who bills whom, and on what terms."""


@party.command()
@file_argument
@format_option
@click.pass_context
def check(context: click.Context, file: Path, output: str) -> None:
    """Check a party file. Lists every error; the exit code is 1 if there are any.

    \b
    Examples:
      tringledger party check customers.toml
    """
    from api.application.published_parties import read_party_file
    from domain.billing.party import InvalidParty

    try:
        read, _ = read_party_file(file)
    except InvalidParty as broken:
        if output == "json":
            print_json({"findings": [finding._asdict() for finding in broken.findings]})
        else:
            click.echo("\n".join(broken.lines))
        context.exit(1)
    if output == "json":
        print_json({"findings": [], "customers": len(read.customers), "series": len(read.series)})
    else:
        click.echo(f"{file}: {_sentence(read)}")


@party.command()
@file_argument
@author_options
@store_option
def publish(file: Path, by: str, reason: str, store: str | None) -> None:
    """Publish a party file as the next version. Statements that are numbered after it use it.

    The log keeps the digest of the file; the file itself is kept next to the log.

    \b
    Examples:
      tringledger party publish customers.toml --by kim --reason "two new customers"
    """
    from api.application.published_parties import published_parties, read_party_file

    read, record = read_party_file(file)
    with open_ledger(store) as (ledger, _):
        with ledger.operator_session(by, reason) as session:
            position = session.publish_party(record)
        version = next(each.event.version for each in published_parties(ledger) if each.position == position)
    note(f"party version {version} published at position {position}: {_sentence(read)}")


@party.command("list")
@format_option
@store_option
def list_(output: str, store: str | None) -> None:
    """List the published versions.

    \b
    Examples:
      tringledger party list
    """
    from api.application.published_parties import party_document, published_parties

    with open_ledger(store) as (ledger, _):
        versions = [party_document(each) for each in published_parties(ledger)]
    if output == "json":
        print_json(versions)
        return
    columns = ["version", "position", "published_at", "by", "reason"]
    print_table(columns, [[version[column] for column in columns] for version in versions])


@party.command()
@click.argument("version", type=click.IntRange(min=1))
@store_option
def show(version: int, store: str | None) -> None:
    """Print the text of a published version, as it was in its file.

    \b
    Examples:
      tringledger party show 3 > customers.toml
    """
    from api.application.published_parties import load_party

    with open_ledger(store) as (ledger, _):
        found = load_party(ledger, version)
    assert found.record is not None
    click.echo(found.record.text, nl=not found.record.text.endswith("\n"))


def _sentence(read: Party) -> str:
    count = f"{len(read.customers)} customer{'' if len(read.customers) == 1 else 's'}"
    return f"{count} of {read.sender.name}, {len(read.series) + 1} series of numbers"
