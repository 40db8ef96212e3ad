"""``tringledger status``: the state of the ledger, for people, programs and cron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import frozen_imports, open_ledger
from api.cli.options import catch_up_option, format_option, store_option
from domain import times

if TYPE_CHECKING:
    from api.application.proofs.proof_status import ProofStatus
    from api.application.status import ForwardingStatus, LedgerStatus
    from projections.queries.call_health import OverdueCounts

COUNT = click.IntRange(0)
UNKNOWN = "not known: the read models cannot be used"


@click.command()
@click.option("--check", is_flag=True, help="Exit with 1, and say why, if a limit is passed.")
@click.option(
    "--lag-seconds",
    type=COUNT,
    default=60,
    show_default=True,
    help="--check: maximum lag of read models and forwarding, in seconds.",
)
@click.option(
    "--silent-hours",
    type=click.IntRange(1),
    help="--check: maximum time without a callback, in hours (default: not checked).",
)
@click.option(
    "--quarantine",
    type=COUNT,
    default=0,
    show_default=True,
    help="--check: maximum number of quarantined notices.",
)
@click.option(
    "--missing-cdrs",
    type=COUNT,
    default=0,
    show_default=True,
    help="--check: maximum number of calls that miss their CDR.",
)
@click.option(
    "--thorough",
    is_flag=True,
    help="--check: read the log and the read models whole, and find damaged pages (SQLite's quick_check); it takes a while.",
)
@format_option
@catch_up_option
@store_option
@click.pass_context
def status(
    context: click.Context,
    check: bool,
    lag_seconds: int,
    silent_hours: int | None,
    quarantine: int,
    missing_cdrs: int,
    thorough: bool,
    output: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Show the state of the ledger, and what needs attention.

    The lag is as this command found it; the command then catches up, so the counts are current.

    \b
    Examples:
      tringledger status
      tringledger status --check --silent-hours 6 || mail -s "check the ledger" ops@example.com
    """
    with frozen_imports():
        from api.application import status as statuses
        from api.application.status import StatusLimits
        from projections.stores.generations import open_current

    if thorough and not check:
        raise click.UsageError("--thorough is for --check: expected both")
    now = times.now()
    limits = StatusLimits(lag_seconds, silent_hours, quarantine, missing_cdrs)
    with open_ledger(store) as (ledger, read):
        read_store = open_current(ledger)
        damage = statuses.find_damage(ledger, read_store) if thorough else []
        if damage:
            # What else could be said would be read from damaged pages.
            _tell(damage)
            context.exit(1)
        found = statuses.ledger_status(
            ledger,
            read_store,
            now,
            caught_up=not no_catch_up,
            forward_url=read.forward_url,
            checkpoint_seconds=read.checkpoint_seconds,
            spool=read.spool,
        )
        problems = statuses.exceeded_limits(found, limits, ledger, now) if check else []
        read_store.close()
    if output == "json":
        print_json(statuses.status_document(found) | ({"findings": problems} if check else {}))
    else:
        _print(found)
    _tell(problems)
    context.exit(1 if problems else 0)


def _tell(problems: list[str]) -> None:
    for problem in problems:
        note(problem)


def _print(found: LedgerStatus) -> None:
    models = found.read_models
    recorded = f", the last recorded at {times.iso(found.last_recorded_at)}" if found.last_recorded_at else ""
    lag = f"{models.lag} events behind" if models.lag else "up to date"
    if models.found_lag:
        lag += f" (was {models.found_lag} events, {models.found_lag_seconds} s behind)"
    rows: list[tuple[str, str]] = [
        ("store", found.store),
        ("ledger", f"{found.ledger}, correlation {found.correlation}, billing time zone {found.timezone}"),
        ("events", f"{found.events}, head at position {found.head}{recorded}"),
        ("quarantine", f"{found.wrong_signatures} wrong signatures, {found.broken_values} broken values"),
        ("calls", _waiting(found.waiting)),
        ("suspects", _suspects(found)),
        ("rebuilt", f"{found.rebuilt.made_at}, up to position {found.rebuilt.last}" if found.rebuilt else "never"),
    ]
    if found.forwarding:
        rows.append(("forwarding", _told(found.forwarding)))
    rows.append(("proofs", _proofs_told(found.proofs)))
    if found.spool:
        oldest = f", the oldest since {times.iso(found.spool.oldest_at)}" if found.spool.oldest_at is not None else ""
        rows.append(("spool", f"{found.spool.callbacks} callbacks, {found.spool.bytes} bytes{oldest}"))
    print_table(["", ""], rows)
    click.echo()
    models_rows = [(name, models.position, lag, count) for name, count in models.rows.items()]
    print_table(["read model", "position", "lag", "rows"], models_rows)
    _note_problems(found)
    for tag, lacking, calls in found.tags_without_openings:
        note(
            f"{lacking} of {calls} calls of tag {tag!r} lack their opening: if TringMe sends the destination's number on"
            " destination notices, use correlation=tag with tags unique per call"
        )


def _note_problems(found: LedgerStatus) -> None:
    models, forwarding = found.read_models, found.forwarding
    if models.failure:
        note(f"read models stopped at position {models.position}: {models.failure}")
    for problem in (found.proofs.problem, found.clock, found.durability, found.spool.failure if found.spool else ""):
        if problem:
            note(problem)
    if forwarding and forwarding.failure:
        note(f"forwarding stopped at position {forwarding.position}: {forwarding.failure}")


def _proofs_told(proofs: ProofStatus) -> str:
    if not proofs.size:
        return "none yet: `tringledger serve` or `tringledger prove` makes them"
    lag = f"{proofs.lag} events, {proofs.lag_seconds} s behind" if proofs.lag else "up to date"
    tree = f"a tree of {proofs.size} events, {lag}"
    if proofs.checkpoint_size is None or proofs.since is None:
        return f"{tree}, nothing signed"
    signed = f"checkpoint of {proofs.checkpoint_size} events, signed at {times.iso(proofs.checkpoint_at or 0)}"
    by = f", cosigned by {', '.join(proofs.witnesses)}" if proofs.witnesses else ""
    copied = "; a copy, which signs nothing" if proofs.copy else ""
    return f"{tree}, {signed}{by}; nothing is proved of the time before {times.iso(proofs.since)}{copied}"


def _waiting(waiting: OverdueCounts | None) -> str:
    if waiting is None:
        return UNKNOWN
    return f"{waiting.in_progress} in progress ({waiting.stale} stale), {waiting.missing_cdr} missing their CDR"


def _suspects(found: LedgerStatus) -> str:
    from projections.queries.suspects import RECENT_CALLS_MAX, RECENT_DAYS

    if found.waiting is None:
        return UNKNOWN
    if found.suspect_runs is None:
        return f"not counted among more than {RECENT_CALLS_MAX:,} calls; `tringledger exception suspects` finds them"
    runs = "run" if found.suspect_runs == 1 else "runs"
    return f"{found.suspect_runs} {runs} of calls that were perhaps sent again, in the last {RECENT_DAYS} days"


def _told(forwarding: ForwardingStatus) -> str:
    to = f"to {forwarding.to}" if forwarding.to else "TRINGLEDGER_FORWARD_URL is not set here"
    if forwarding.position is None:
        return f"{to}, not started yet; the service starts it"
    lag = f"{forwarding.lag} events, {forwarding.lag_seconds} s behind" if forwarding.lag else "up to date"
    skipped = f", skipped by operators: {forwarding.skipped}" if forwarding.skipped else ""
    return f"{to}, at position {forwarding.position}, {lag}{skipped}"
