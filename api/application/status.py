"""The state of a ledger: its contents, how far its read models are behind, and what needs attention."""

from pathlib import Path
from typing import Any

import msgspec

from api import urls as addresses
from api.application import forwarding_position as forwarder
from api.application.clock_check import find_clock_problem
from api.application.proofs.proof_status import ProofStatus, proof_status_document, read_proof_status
from api.application.spool.spool_directory import SpoolDirectory, SpoolTotals, spool_document, spool_problem
from domain import times
from domain.errors import LedgerError
from domain.events.codec import decode_notice
from domain.events.operator_events import OPERATOR_EVENTS
from domain.ledger import CALLBACK, Ledger
from projections.building import certificate
from projections.building.certificate import Certificate
from projections.proofs.tree_rows import CHECKPOINT_SECONDS
from projections.queries import call_health as calls
from projections.queries.call_health import OverdueCounts
from projections.queries.facets import count_rows
from projections.queries.suspects import RunCounter
from projections.stores.generations import ReadModelsUnusable, ReadStore

EVENTS_AT_ONCE = 1000
RESTORE = "stop the service, keep its files, and restore a backup (`tringledger restore`)"


class ReadModelStatus(msgspec.Struct):
    """How far the read models are behind the head of the log, in events, and what stopped them (``failure``).

    ``found_lag`` and ``found_lag_seconds`` are the lag before catching up: how many events were missing, and how long the
    first of them had been in the log. They show whether a follower is running.
    """

    position: int
    lag: int
    found_lag: int
    found_lag_seconds: int
    failure: str = ""
    rows: dict[str, int] = {}


class ForwardingStatus(msgspec.Struct):
    """How far the log was forwarded to the handler at ``to``, and what stopped that (``failure``).

    ``to`` is None if TRINGLEDGER_FORWARD_URL is not set for this command. ``position`` is None until a service has started
    forwarding; ``lag`` is in events; ``skipped`` is the number of ranges that operators skipped.
    """

    to: str | None
    position: int | None
    lag: int
    lag_seconds: int
    failure: str
    skipped: int


class LedgerStatus(msgspec.Struct):
    """What ``tringledger status`` shows; times are microseconds, UTC, or None.

    ``waiting`` is None if the read models must not be used. ``suspect_runs`` are those that came within RECENT_DAYS; None if
    they were not counted, because that would take long.
    """

    store: str
    ledger: str
    correlation: str
    timezone: str
    events: int
    head: int
    last_recorded_at: int | None
    read_models: ReadModelStatus
    wrong_signatures: int
    broken_values: int
    waiting: OverdueCounts | None
    suspect_runs: int | None
    tags_without_openings: list[tuple[str, int, int]]
    forwarding: ForwardingStatus | None
    rebuilt: Certificate | None
    proofs: ProofStatus
    clock: str
    durability: str
    spool: SpoolTotals | None


def ledger_status(
    ledger: Ledger,
    store: ReadStore,
    now: int,
    *,
    caught_up: bool,
    counted: bool = True,
    count_runs: RunCounter | None = None,
    forward_url: str | None = None,
    checkpoint_seconds: int = CHECKPOINT_SECONDS,
    spool: Path | None = None,
) -> LedgerStatus:
    """Return the state of a ledger, with the lag from before catching up; counting rows takes long, so you can leave it out."""
    head = ledger.head()
    models = ReadModelStatus(0, head, head, 0)
    waiting, tags, runs = None, [], None
    count_runs = count_runs or RunCounter()
    try:
        models = _read_models(ledger, store, now)
        if caught_up and store.can_write():
            models.position, models.failure = _caught_up(ledger, store, head, models.position)
        with store.snapshot() as connection:
            models.rows = count_rows(connection) if counted else {}
            waiting = calls.count_overdue(connection, ledger.options.window, now)
            tags = calls.tags_without_openings(connection, head)
            runs = count_runs(ledger, connection, now)
    except ReadModelsUnusable as error:
        models.failure = str(error)
    models.lag = max(head - models.position, 0)
    wrong_signatures, broken_values = ledger.store.count_quarantined()
    return LedgerStatus(
        store=ledger.shown_url,
        ledger=ledger.id,
        correlation=ledger.correlation,
        timezone=ledger.timezone,
        events=head,
        head=head,
        last_recorded_at=ledger.recorded_at(head) if head else None,
        read_models=models,
        wrong_signatures=wrong_signatures,
        broken_values=broken_values,
        waiting=waiting,
        suspect_runs=runs,
        tags_without_openings=tags,
        forwarding=_forwarding(ledger, forward_url, now),
        rebuilt=certificate.load_certificate(ledger),
        proofs=read_proof_status(ledger, checkpoint_seconds, now),
        clock=find_clock_problem(ledger, now),
        durability=ledger.store.durability_problem(),
        spool=SpoolDirectory(spool, ledger.id).totals() if spool else None,
    )


def _read_models(ledger: Ledger, store: ReadStore, now: int) -> ReadModelStatus:
    with store.snapshot() as connection:
        position = store.position(connection, ledger.store)
    lag, seconds = ledger.lag(position, now)
    return ReadModelStatus(position, lag, lag, seconds)


def _caught_up(ledger: Ledger, store: ReadStore, head: int, position: int) -> tuple[int, str]:
    """Catch up; return how far the read models came, and what stopped them."""
    if position >= head:
        return position, ""
    from projections.building.catch_up import catch_up  # noqa: PLC0415 - a running service leaves nothing to catch up

    try:
        return catch_up(ledger, store, head), ""
    except ReadModelsUnusable:
        raise
    except LedgerError as error:
        return position, str(error)


def _forwarding(ledger: Ledger, url: str | None, now: int) -> ForwardingStatus | None:
    kept, skipped = forwarder.load_position(ledger), len(forwarder.skipped_ranges(ledger))
    if not (kept or url):
        return None
    lag, seconds = ledger.lag(kept.position, now) if kept else (0, 0)
    position, failure = (kept.position, kept.failure) if kept else (None, "")
    return ForwardingStatus(addresses.redacted(url) if url else None, position, lag, seconds, failure, skipped)


class StatusLimits(msgspec.Struct, frozen=True):
    """The limits of ``status --check``; ``silent_hours`` None does not check for silence."""

    lag_seconds: int
    silent_hours: int | None
    quarantine: int
    missing_cdrs: int


def find_damage(ledger: Ledger, store: ReadStore) -> list[str]:
    """Read the log and the read models whole; return, as sentences, what the database finds damaged in them."""
    log = [f"the log in {ledger.shown_url} is damaged: {text}; {RESTORE}" for text in ledger.store.find_damage()]
    models = [
        f"the read models in {store.name} are damaged: {text}; run `tringledger rebuild`"
        for text in store.find_damage()
    ]
    return log + models


def exceeded_limits(status: LedgerStatus, limits: StatusLimits, ledger: Ledger, now: int) -> list[str]:
    """Return a sentence for each limit that is passed."""
    models = status.read_models
    found = []
    if models.failure:
        found.append(f"read models stopped at position {models.position}: {models.failure}")
    if models.found_lag_seconds > limits.lag_seconds:
        behind = f"{models.found_lag} events and {models.found_lag_seconds} s"
        found.append(f"read models were {behind} behind; the limit is {limits.lag_seconds} s")
    forwarding = status.forwarding
    # Without the setting, forwarding may have been switched off on purpose; but a last failure needs attention.
    if forwarding and (forwarding.to or forwarding.failure) and forwarding.lag_seconds > limits.lag_seconds:
        behind = f"{forwarding.lag} events and {forwarding.lag_seconds} s behind; the limit is {limits.lag_seconds} s"
        found.append(f"forwarding is {behind}" + (f" ({forwarding.failure})" if forwarding.failure else ""))
    if limits.silent_hours is not None and not _called_since(ledger, now - limits.silent_hours * 3600 * times.SECOND):
        found.append(f"no callback recorded for {limits.silent_hours} h")
    if status.proofs.problem:
        found.append(status.proofs.problem)
    found += [problem for problem in (status.clock, status.durability) if problem]
    if status.spool and (problem := spool_problem(status.spool, now - limits.lag_seconds * times.SECOND)):
        found.append(problem)
    waiting = status.wrong_signatures + status.broken_values
    if waiting > limits.quarantine:
        found.append(f"{waiting} notices in quarantine; the limit is {limits.quarantine}")
    if status.waiting and status.waiting.missing_cdr > limits.missing_cdrs:
        found.append(f"{status.waiting.missing_cdr} calls miss their CDR; the limit is {limits.missing_cdrs}")
    return found


def _called_since(ledger: Ledger, moment: int) -> bool:
    """Whether a callback, not an import, was recorded after a time; searches backwards from the newest event."""
    oldest, newest = ledger.position_at(moment), ledger.head()
    while newest > oldest:
        start = max(oldest, newest - EVENTS_AT_ONCE)
        if any(
            row.topic not in OPERATOR_EVENTS and decode_notice(row.state).source == CALLBACK
            for row in ledger.store.page(start, EVENTS_AT_ONCE, newest)
        ):
            return True
        newest = start
    return False


def status_document(status: LedgerStatus) -> dict[str, Any]:
    """Return a status as JSON has it."""
    document: dict[str, Any] = msgspec.to_builtins(status)
    document["last_recorded_at"] = status.last_recorded_at and times.iso(status.last_recorded_at)
    document["proofs"] = proof_status_document(status.proofs)
    document["clock"] = status.clock or None
    document["durability"] = status.durability or None
    document["waiting"] = status.waiting and status.waiting._asdict()
    if status.forwarding is None:
        del document["forwarding"]
    document["spool"] = status.spool and spool_document(status.spool)
    if status.spool is None:
        del document["spool"]
    return document
