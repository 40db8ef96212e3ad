"""``tringledger quarantine``: list quarantined notices, reprocess them, resolve them, or delete what is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from api.cli.bulk_command import BulkOptions, read_bulk_options, run_bulk_work
from api.cli.console import note, note_span, print_json, print_table
from api.cli.correction_output import run_operator_command
from api.cli.exit_codes import DONE, FINDING
from api.cli.ledger_access import open_ledger
from api.cli.options import author_options, format_option, store_option
from domain.events.log_row import POSITION_MAX
from domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.application.quarantine import Reprocessed
    from api.application.quarantine_filters import QuarantineFilter
    from domain.ledger import Ledger
    from domain.log.contract import QuarantineEntry


@click.group()
def quarantine() -> None:
    """List quarantined notices, reprocess them, or resolve them."""


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters of the quarantine, as the page has them."""
    for option in (
        click.option("--through", metavar="TIME", help="Only those up to this day, month or time, which is taken in."),
        click.option("--to", metavar="TIME", help="Only those before this day, month or time."),
        click.option(
            "--from",
            "from_",
            metavar="TIME",
            help="Only those that came from this day, month or time on; 24h: since then.",
        ),
        click.option("--source", help="Only those from this source."),
        click.option("--tag", help="Only those with this tag; * stands for any text, as in 'dept-*'."),
        click.option("--cause", help="Only those with this cause, such as 'wrong signature' or 'broken srccharge'."),
    ):
        command = option(command)
    return command


@quarantine.command("list")
@click.option("--settled", is_flag=True, help="Include settled entries.")
@click.option("--newest", is_flag=True, help="The newest first, as the page has them.")
@filter_options
@format_option
@store_option
def list_(settled: bool, newest: bool, output: str, store: str | None, **filters: str | None) -> None:
    """List quarantined notices, oldest first.

    \b
    Examples:
      tringledger quarantine list
      tringledger quarantine list --newest --cause 'wrong signature' --from 24h
      tringledger quarantine list --tag 'dept-*' --format json
    """
    from api.application.quarantine import entry_document

    with open_ledger(store) as (ledger, _):
        wanted, log = _filter(ledger, filters), ledger.store
        every = log.newest_quarantined(settled=settled) if newest else log.quarantined(settled=settled)
        entries = [entry_document(entry, whole=True) for entry in every if wanted.fits(entry)]
    if output == "json":
        print_json(entries)
        return
    columns = ["id", "received_at", "times", "reason", "source", "position"]
    print_table(columns, [[entry[column] for column in columns] for entry in entries])
    note(f"{len(entries)} in quarantine")


@quarantine.command()
@click.argument("entry_id", metavar="ID", type=int)
@format_option
@store_option
@click.pass_context
def show(context: click.Context, entry_id: int, output: str, store: str | None) -> None:
    """Show a quarantined notice: its raw bytes, its parameters, and why it was refused."""
    from api.application.quarantine import entry_document, find_entry, shown_contents, whole_document

    with open_ledger(store) as (ledger, _):
        entry = find_entry(ledger, entry_id)
    if entry is None:
        note(f"notice {entry_id} is not in quarantine")
        context.exit(1)
    if output == "json":
        print_json(whole_document(entry, whole=True))
        return
    raw, parameters = shown_contents(entry, whole=True)
    print_table(["notice", ""], list(entry_document(entry, whole=True).items()))
    click.echo(f"\nraw  {printable(raw)}\n")
    print_table(["parameter", "value"], parameters)


@quarantine.command()
@click.argument("entry_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="All notices that are not settled, or those that fit the filters.")
@filter_options
@store_option
@click.pass_context
def reprocess(
    context: click.Context, /, entry_ids: tuple[int, ...], every: bool, store: str | None, **filters: str | None
) -> None:
    """Record quarantined notices once the cause is fixed; they keep their original received_at.

    The exit code is 1 if any of them is still invalid.

    \b
    Examples:
      tringledger quarantine reprocess 17 18
      TRINGME_PRIVATE_KEY=… tringledger quarantine reprocess --all
      tringledger quarantine reprocess --all --cause 'broken srccharge' --from 2026-10-01
    """
    from api import settings
    from api.application import quarantine as application
    from domain.ledger import Ledger

    _check_choice(entry_ids, filters, every=every)
    read = settings.load_settings(store=store)
    with Ledger(read.store, read.keyring(), read.ledger_options) as ledger:
        tried = [_told(each) for each in application.reprocess(ledger, _wanted(ledger, entry_ids, filters))]
    context.exit(FINDING if any(each.outcome == application.INVALID for each in tried) else DONE)


@quarantine.command()
@click.argument("entry_ids", metavar="[ID]...", type=click.IntRange(1, POSITION_MAX), nargs=-1)
@click.option("--all", "every", is_flag=True, help="All notices that are not settled, or those that fit the filters.")
@filter_options
@author_options
@format_option
@store_option
def resolve(entry_ids: tuple[int, ...], **given: Any) -> None:
    """Settle notices that will not be recorded. They stay in quarantine with the reason, but no longer count.

    If --all is interrupted, run it again: it continues where it stopped.

    \b
    Examples:
      tringledger quarantine resolve 17 18 --by kim --reason "forged; not from TringMe's addresses"
      tringledger quarantine resolve --all --cause 'wrong signature' --from 24h --by kim --reason "a scanner"
    """
    options = read_bulk_options(**given)
    _check_choice(entry_ids, options.filters, every=options.every)
    if options.every:
        _resolve_all(options)
        return
    _, by, reason, output, store, _ = options
    run_operator_command(
        store, by, reason, lambda session: [session.resolve_quarantined(entry_id) for entry_id in entry_ids], output
    )


@quarantine.command()
@click.option(
    "--settled-before",
    "before",
    required=True,
    metavar="TIME",
    help="Delete what is settled and was last received before this day, month or time.",
)
@store_option
def prune(before: str, store: str | None) -> None:
    """Delete settled notices. Open ones stay, and so do the events that say how they were settled.

    A settlement whose notice is gone cannot be undone. If TringMe sends a notice again that was resolved and deleted, it
    enters the quarantine again.

    \b
    Examples:
      tringledger quarantine prune --settled-before 2025-01
    """
    from api.application.quarantine import prune_settled
    from domain import times
    from projections.queries.time_points import read_time_point

    with open_ledger(store) as (ledger, _):
        at = read_time_point(before, ledger.timezone)
        assert at is not None
        note(f"deleted {prune_settled(ledger, at)} settled notices, last received before {times.iso(at)}")


@quarantine.command()
@click.option("--delete", "is_deleting", is_flag=True, help="Delete all of them instead.")
@format_option
@store_option
def samples(is_deleting: bool, output: str, store: str | None) -> None:
    """Show the last requests that were refused before their signature was checked, newest first.

    They tell what a platform sends that calls in a way that nobody foresaw. The last 100 are kept, on the host that refused
    them.

    \b
    Example:
      tringledger quarantine samples
    """
    from api import settings
    from api.application.request_samples import delete_samples, read_samples, sample_document, samples_file

    read = settings.load_settings(store=store)
    file = samples_file(read.store, read.samples)
    if is_deleting:
        note(f"deleted {delete_samples(file)} samples")
        return
    found = [sample_document(each) for each in read_samples(file)]
    if output == "json":
        print_json(found)
        return
    for each in found:
        content = each.pop("content")
        print_table(["sample", ""], list(each.items()))
        click.echo("".join(f"  {printable(line)}\n" for line in content.splitlines()))
    note(f"{len(found)} samples")


def _check_choice(entry_ids: tuple[int, ...], filters: dict[str, str | None], *, every: bool) -> None:
    if bool(entry_ids) == every:
        raise click.UsageError("expected either IDs or --all")
    if entry_ids and any(filters.values()):
        raise click.UsageError("got IDs and filters; filters go with --all")


def _resolve_all(options: BulkOptions) -> None:
    from api.application.bulk_jobs.bulk_job import RESOLVE_QUARANTINE
    from api.application.bulk_jobs.orders import BulkRequest

    wanted = {name.rstrip("_"): value for name, value in options.filters.items() if value}
    with open_ledger(options.store) as (ledger, _):
        request = BulkRequest(RESOLVE_QUARANTINE, wanted, options.by, options.reason)
        run_bulk_work(ledger, None, request, options.output)


def _filter(ledger: Ledger, filters: dict[str, str | None]) -> QuarantineFilter:
    from api.application.quarantine_filters import read_quarantine_filter
    from domain import times

    given = {name.rstrip("_"): value for name, value in filters.items() if value}
    wanted = read_quarantine_filter(given, ledger.timezone, times.now())
    note_span(wanted.since, wanted.until, ledger.timezone)
    return wanted


def _wanted(ledger: Ledger, entry_ids: tuple[int, ...], filters: dict[str, str | None]) -> list[QuarantineEntry]:
    from api.application.quarantine import find_entry
    from api.application.quarantine_filters import fitting_notices

    if not entry_ids:
        return list(fitting_notices(ledger.store, _filter(ledger, filters)))
    found = {entry_id: find_entry(ledger, entry_id) for entry_id in entry_ids}
    missing = [str(entry_id) for entry_id, entry in found.items() if entry is None]
    if missing:
        msg = f"not in quarantine: notice {', '.join(missing)}"
        raise click.UsageError(msg)
    return [entry for entry in found.values() if entry]


def _told(tried: Reprocessed) -> Reprocessed:
    if tried.reason:
        click.echo(printable(f"{tried.entry_id}: still invalid: {tried.reason}"))
    else:
        click.echo(f"{tried.entry_id}: {tried.outcome}, position {tried.position}")
    return tried
