"""``tringledger tariff``: check a tariff file, publish it, and list published versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import author_options, format_option, store_option
from domain import times
from domain.errors import CommandRejected, NoLedger

if TYPE_CHECKING:
    from domain.billing.tariff import InvalidTariff, Tariff
    from domain.billing.tariff_notes import TariffNote

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
CHARGES_MAX = 10
NO_VERSION = 0


@click.group()
def tariff() -> None:
    """Check a tariff file, publish it, and list published versions."""


@tariff.command()
@file_argument
@format_option
@store_option
@click.pass_context
def check(context: click.Context, file: Path, output: str, store: str | None) -> None:
    """Check a tariff file. Lists every error; the exit code is 1 if there are any.

    Dates are in the ledger's billing time zone unless the file sets another. The command also names rules that begin later
    than others, and rules that are never reached; these are not errors.

    \b
    Examples:
      tringledger tariff check prices.toml
    """
    from api.application.published_tariffs import tariff_facts
    from api.application.tariff_publication import note_document
    from domain.billing import tariff as tariffs
    from domain.billing.tariff import InvalidTariff
    from domain.billing.tariff_notes import tariff_notes

    timezone, line_rule, last = _terms_of_ledger(store)
    try:
        read = tariffs.parse_tariff(_text(file), NO_VERSION, timezone=timezone, line_rule=line_rule, name=str(file))
    except InvalidTariff as broken:
        _show_findings(broken, output)
        context.exit(1)
    notes = tariff_notes(read, last)
    if output == "json":
        print_json({"findings": [], **tariff_facts(read), "notes": [note_document(each) for each in notes]})
    else:
        click.echo("\n".join([f"{file}: {_sentence(read)}", *_note_lines(file, notes)]))


@tariff.command()
@file_argument
@author_options
@store_option
def publish(file: Path, by: str, reason: str, store: str | None) -> None:
    """Publish a tariff as the next version. It prices the CDRs recorded after it, and never changes.

    It also decides alone on the monthly fees and minimums of open months: the command tells whom it charges, and whom it no longer does.

    \b
    Examples:
      tringledger tariff publish prices.toml --by kim --reason "prices from October on"
    """
    from api import settings
    from api.application.tariff_publication import publish_tariff
    from domain.ledger import Ledger

    read = settings.load_settings(store=store)
    with Ledger(read.store, options=read.ledger_options, create=read.creates) as ledger:
        done = publish_tariff(ledger, by, reason, _text(file), str(file))
    published = done.tariff
    said = f"version {published.version} published at position {done.position}: {_sentence(published)}"
    for line in (said, *_note_lines(file, done.notes), *map(str, done.charges[:CHARGES_MAX])):
        note(line)
    if len(done.charges) > CHARGES_MAX:
        note(f"{len(done.charges) - CHARGES_MAX} more accounts are charged")


@tariff.command("list")
@format_option
@store_option
def list_(output: str, store: str | None) -> None:
    """List the published versions.

    \b
    Examples:
      tringledger tariff list
    """
    from api.application.published_tariffs import published_versions, version_document

    with open_ledger(store) as (ledger, _):
        versions = [version_document(each) for each in published_versions(ledger)]
    if output == "json":
        print_json(versions)
        return
    columns = ["version", "position", "published_at", "by", "reason", "rules", "effective_from", "timezone"]
    print_table(columns, [[version[column] for column in columns] for version in versions])


@tariff.command()
@click.argument("version", type=click.IntRange(min=1))
@format_option
@store_option
def show(version: int, output: str, store: str | None) -> None:
    """Print the text of a published version, as it was in its file.

    \b
    Examples:
      tringledger tariff show 3 > prices.toml
    """
    from api.application.published_tariffs import published_versions, version_document

    with open_ledger(store) as (ledger, _):
        found = next((each for each in published_versions(ledger) if each.event.version == version), None)
        if found is None:
            msg = f"there is no tariff version {version}; `tringledger tariff list` shows the published versions"
            raise CommandRejected(msg)
        text = found.event.text
        if output == "json":
            print_json({**version_document(found), "text": text})
        else:
            click.echo(text, nl=not text.endswith("\n"))


def _text(file: Path) -> str:
    """Return the text of a file; raises InvalidTariff if it is not UTF-8."""
    from domain.billing.tariff import InvalidTariff, TariffFinding

    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = TariffFinding(line, "the file", repr(content[error.start : error.end]), "UTF-8")
        raise InvalidTariff(str(file), [found]) from error


def _terms_of_ledger(store: str | None) -> tuple[str, int, int]:
    """Return the ledger's billing time zone, its line rule, and the last version of its tariff (0 without one).

    If there is no ledger yet, the time zone is that of the settings, and the rule that of new ledgers.
    """
    from api import settings
    from domain.notices.line_number import LINE_RULE_2

    try:
        with open_ledger(store) as (ledger, _):
            tariffs = ledger.billing_context().tariffs
            return ledger.timezone, ledger.line_rule, tariffs[-1].tariff.version if tariffs else NO_VERSION
    except NoLedger:
        return settings.load_settings(store=store).timezone or "UTC", LINE_RULE_2, NO_VERSION


def _show_findings(broken: InvalidTariff, output: str) -> None:
    if output == "json":
        print_json({"findings": [finding._asdict() for finding in broken.findings]})
    else:
        click.echo("\n".join(broken.lines))


def _note_lines(file: Path, notes: list[TariffNote]) -> list[str]:
    return [f"{file}:{each.line}: {each}" for each in notes]


def _sentence(read: Tariff) -> str:
    count = f"{len(read.rules)} rule{'s' if len(read.rules) > 1 else ''}"
    since = f"from {times.iso(read.since)} on" if read.since else "always"
    return f"{count}, in effect {since}, time zone {read.timezone}"
