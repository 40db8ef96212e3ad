"""``tringledger exception``: list exceptions, resolve them, and open them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from api.cli.bulk_command import BulkOptions, read_bulk_options, run_bulk_work
from api.cli.console import TABLE_ROWS_MAX, note, print_json, print_more, print_table
from api.cli.correction_output import run_operator_command
from api.cli.ledger_access import open_ledger, read_models
from api.cli.options import (
    author_options,
    catch_up_option,
    format_option,
    optional_period,
    span_options,
    store_option,
)
from domain import amounts, times
from domain.calls.call import FLAGS, RESOLVABLE, SUSPECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.operators.session import OperatorSession
    from projections.queries.suspects import FoundSuspects, Suspect

SUSPECT_COLUMNS = ["position", "cdr_at", "call_id", "tag", "src", "cost", "sip_credits", "twin_position", "twin"]
COLUMNS = [
    "flag",
    "position",
    "received_at",
    "call_id",
    "tag",
    "src",
    "cost",
    "sip_credits",
    "resolved_by",
    "resolution",
]
position_argument = click.argument("position", type=click.IntRange(min=1))


# As the page and the API name them.
NAMES_OF_FILTERS = {"since": "from", "until": "to", "only_flag": "flag"}


def one_or_all(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one exception, as FLAG and POSITION, or --all with the filters of the page."""
    for option in (
        span_options,
        click.option("--number", help="With --all: only this number; * stands for any digits, as in '*4567'."),
        click.option("--tag", help="With --all: only this tag; * stands for any text, as in 'dept-*'."),
        click.option("--flag", "only_flag", type=click.Choice(FLAGS), help="With --all: only this flag."),
        click.option("--all", "every", is_flag=True, help="All exceptions, or those that fit the filters."),
        click.argument("position", type=click.IntRange(min=1), required=False),
        click.argument("flag", type=click.Choice(RESOLVABLE), required=False),
    ):
        command = option(command)
    return command


@click.group()
def exception() -> None:
    """List exceptions that concern money, and resolve them."""


@exception.command("list")
@click.option("--flag", type=click.Choice(FLAGS), help="Only this flag.")
@click.option("--tag", help="Only this tag.")
@click.option("--period", metavar="YYYY-MM", help="Only exceptions of this month, in the billing time zone.")
@click.option("--all", "every", is_flag=True, help="Include resolved exceptions.")
@format_option
@catch_up_option
@store_option
def list_(
    flag: str | None,
    tag: str | None,
    period: str | None,
    every: bool,
    output: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """List open exceptions in the order of the log, with the money at stake.

    \b
    Examples:
      tringledger exception list --flag repeated-cdr --period 2026-10
    """
    from projections.queries.conditions import build_selection
    from projections.queries.exception_totals import selected_exceptions

    with open_ledger(store) as (ledger, _):
        wanted = build_selection("exceptions", flag=flag, tag=tag, period=period, timezone=ledger.timezone)
        with read_models(ledger, caught_up=not no_catch_up) as read_store, read_store.snapshot() as connection:
            read_store.position(connection, ledger.store)
            rows = selected_exceptions(connection, wanted, ledger.timezone, resolved_too=every)
            found = [_document(row) for row in rows]
    if output == "json":
        print_json(found)
        return
    print_table(COLUMNS, [list(each.values()) for each in found])
    note(f"{len(found)} exceptions" + ("" if every else " open"))


@exception.command()
@one_or_all
@author_options
@format_option
@store_option
def resolve(**given: Any) -> None:
    """Resolve an exception, named by its flag and position, or with --all those that fit the filters.

    `exception list --all` still lists them. A suspect is named by the position of its CDR; you can settle any CDR so, and
    it is then neither a suspect nor a twin. If --all is interrupted, run it again: it continues where it stopped.

    \b
    Examples:
      tringledger exception resolve suspect 412 --by kim --reason "two calls, says the customer"
      tringledger exception resolve repeated-cdr 93 --by kim --reason "TringMe confirms: sent twice"
      tringledger exception resolve --all --flag repeated-status --period 2026-10 --by kim --reason "their retries"
    """
    _settle(**given, reopened=False)


@exception.command("settle-run")
@position_argument
@author_options
@format_option
@store_option
def settle_run(position: int, by: str, reason: str, output: str, store: str | None) -> None:
    """Resolve all suspects of a run, named by the position of one of them.

    \b
    Examples:
      tringledger exception settle-run 412 --by kim --reason "TringMe confirms: these calls took place"
    """
    from projections.queries.suspects import find_run

    with (
        open_ledger(store) as (ledger, _),
        read_models(ledger, caught_up=True) as read_store,
        read_store.snapshot() as connection,
    ):
        read_store.position(connection, ledger.store)
        positions = [each.position for each in find_run(ledger, connection, position).suspects]

    def settle(session: OperatorSession) -> int:
        return [session.resolve_exception(SUSPECT, each) for each in positions][-1]

    run_operator_command(store, by, reason, settle, output)


@exception.command()
@click.option("--period", metavar="YYYY-MM", callback=optional_period, help="Only suspects of this month.")
@format_option
@catch_up_option
@store_option
def suspects(period: str | None, output: str, no_catch_up: bool, store: str | None) -> None:
    """List calls that equal an earlier call of their line, runs first: a stretch was perhaps sent again.

    A call is a suspect if its deciding status, durations and charges equal those of a call of its line at most
    TRINGLEDGER_SUSPECT_DAYS earlier, its twin. Such calls are billed. Three or more with twins at the same distance are
    a run. Single suspects are common on lines that are priced by the minute.

    Void the calls that did not take place (`call void`), and settle the others (`exception resolve suspect`, `exception settle-run`).

    \b
    Examples:
      tringledger exception suspects --period 2026-10
    """
    from api.application.suspect_list import suspect_document
    from projections.queries.suspects import SuspectRange, find_suspects, month_range

    wanted = month_range(period) if period else SuspectRange()
    with (
        open_ledger(store) as (ledger, _),
        read_models(ledger, caught_up=not no_catch_up) as read_store,
        read_store.snapshot() as connection,
    ):
        read_store.position(connection, ledger.store)
        found = find_suspects(ledger, connection, wanted)
    if output == "json":
        print_json(suspect_document(found))
        return
    _print_suspects(found)


def _print_suspects(found: FoundSuspects) -> None:
    from api.application.suspect_list import shift_shown

    for number, run in enumerate(found.runs, start=1):
        at_stake = f"{amounts.plain(run.cost)} US cents and {amounts.plain(run.sip_credits)} SIP credits at stake"
        click.echo(f"run {number}: {len(run.suspects)} calls, {shift_shown(run.shift)} after their twins, {at_stake}")
        _print_rows(run.suspects)
        click.echo()
    if found.alone:
        click.echo("in no run")
        _print_rows(found.alone)
    note(f"runs: {len(found.runs)}, suspects in no run: {len(found.alone)}")


def _print_rows(suspects: list[Suspect]) -> None:
    rows = [
        (
            *(each.position, times.iso(each.cdr_at), each.call_id, each.tag, each.src),
            *(amounts.plain(each.cost), amounts.plain(each.sip_credits), each.twin_position, each.twin),
        )
        for each in suspects[:TABLE_ROWS_MAX]
    ]
    print_table(SUSPECT_COLUMNS, rows)
    print_more(len(suspects) - TABLE_ROWS_MAX, "json")


@exception.command()
@one_or_all
@author_options
@format_option
@store_option
def reopen(**given: Any) -> None:
    """Open a resolved exception again, named by its flag and position, or with --all those that fit the filters.

    \b
    Examples:
      tringledger exception reopen repeated-cdr 93 --by kim --reason "TringMe's statement has it twice"
    """
    _settle(**given, reopened=True)


def _settle(flag: str | None, position: int | None, *, reopened: bool, **given: Any) -> None:
    """Resolve, or reopen, the exception that is named, or all that fit the filters."""
    options = read_bulk_options(**given)
    one = _one(flag, position, options.filters, every=options.every)
    if one is None:
        _resolve_all(options, reopened=reopened)
        return
    _, by, reason, output, store, _ = options
    run_operator_command(store, by, reason, lambda session: session.resolve_exception(*one, reopened=reopened), output)


def _one(
    flag: str | None, position: int | None, filters: dict[str, str | None], *, every: bool
) -> tuple[str, int] | None:
    """Return the exception that is named, or None for all that fit; ends with wrong usage for both or neither."""
    if every == (flag is not None) or (flag is not None and position is None):
        raise click.UsageError("expected either FLAG and POSITION, or --all")
    if not every and any(filters.values()):
        raise click.UsageError("got FLAG and filters; filters go with --all")
    return None if flag is None or position is None else (flag, position)


def _resolve_all(options: BulkOptions, *, reopened: bool) -> None:
    from api.application.bulk_jobs.bulk_job import REOPEN_EXCEPTIONS, RESOLVE_EXCEPTIONS
    from api.application.bulk_jobs.orders import BulkRequest

    wanted = {NAMES_OF_FILTERS.get(name, name): value for name, value in options.filters.items() if value}
    kind = REOPEN_EXCEPTIONS if reopened else RESOLVE_EXCEPTIONS
    with open_ledger(options.store) as (ledger, _), read_models(ledger, caught_up=True) as read_store:
        request = BulkRequest(kind, wanted, options.by, options.reason)
        run_bulk_work(ledger, read_store, request, options.output)


def _document(row: Any) -> dict[str, Any]:
    said: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    for name in ("cost", "sip_credits"):
        said[name] = None if said[name] is None else amounts.plain(said[name])
    return said | {"received_at": times.iso(row.received_at)}
