"""The metrics of a ledger: asked of the log, the read models and the proofs, not of the processes that keep them."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.application import forwarding_position
from api.application.backup.manifest import last_backup_in
from api.application.proofs.proof_status import ProofStatus
from api.application.read_model_pool import ReadModelPool, ReadSession
from domain import times
from domain.ledger import Ledger
from projections.queries.call_health import count_overdue
from projections.queries.exception_totals import count_open_by_flag
from projections.stores.generations import ReadModelsUnusable


def log_metrics(ledger: Ledger, now: int) -> Iterator[Metric]:
    """Yield how far the log is, what is in quarantine, and the last backup; raises StoreUnavailable."""
    head, facts = ledger.head(), ledger.store.facts()
    yield GaugeMetricFamily("tringledger_log_position", "The position of the last event of the log.", head)
    if head:
        yield _time("tringledger_log_last_recorded", "When the last event was recorded.", ledger.recorded_at(head))
    yield from _quarantine_metrics(ledger)
    if (forwarded := forwarding_position.position_in(facts)) is not None:
        yield from _distance("forwarding", "Forwarding", forwarded.position, *ledger.lag(forwarded.position, now))
        yield CounterMetricFamily(
            "tringledger_forwarding_skipped",
            "Ranges of positions that operators skipped.",
            len(forwarding_position.skipped_ranges_in(facts)),
        )
    if made := last_backup_in(facts):
        yield _time("tringledger_backup_last_success", "When the last backup was made.", times.parse(made.made_at))
        yield GaugeMetricFamily(
            "tringledger_backup_position", "The position up to which the last backup has the log.", made.position
        )


def _quarantine_metrics(ledger: Ledger) -> Iterator[Metric]:
    signature, value = ledger.store.count_quarantined()
    entries = GaugeMetricFamily(
        "tringledger_quarantine_entries", "Notices in quarantine, by what was wrong.", labels=["reason"]
    )
    entries.add_metric(["signature"], signature)
    entries.add_metric(["value"], value)
    yield entries
    if (oldest := ledger.store.oldest_quarantined_at()) is not None:
        yield _time("tringledger_quarantine_oldest", "When the oldest notice in quarantine came.", oldest)


def read_model_metrics(ledger: Ledger, pool: ReadModelPool, now: int) -> Iterator[Metric]:
    """Yield how far the read models are, and what they say of calls; nothing else if they cannot be used."""
    try:
        with pool.session() as session:
            found = [*_distance("read_models", "Read models", session.position, *ledger.lag(session.position, now))]
            yield from [*found, *_call_metrics(session, now)]
    except ReadModelsUnusable:
        return


def _call_metrics(session: ReadSession, now: int) -> Iterator[Metric]:
    overdue = count_overdue(session.connection, session.ledger.options.window, now)
    yield GaugeMetricFamily("tringledger_calls_in_progress", "Calls in progress.", overdue.in_progress)
    yield GaugeMetricFamily("tringledger_calls_stale", "Calls in progress that are silent for too long.", overdue.stale)
    yield GaugeMetricFamily(
        "tringledger_calls_missing_cdr", "Answered calls that ended and have no CDR.", overdue.missing_cdr
    )
    exceptions = GaugeMetricFamily("tringledger_exceptions_open", "Open exceptions, by their flag.", labels=["flag"])
    for flag, count in count_open_by_flag(session.connection).items():
        exceptions.add_metric([flag], count)
    yield exceptions


def proof_metrics(status: ProofStatus) -> Iterator[Metric]:
    """Yield how the proofs stand."""
    yield GaugeMetricFamily("tringledger_proofs_size", "Events that the proof tree has.", status.size)
    yield from _lag("proofs", "The proof tree", status.lag, status.lag_seconds)
    if status.checkpoint_at is not None:
        yield _time("tringledger_proofs_checkpoint", "When the last checkpoint was signed.", status.checkpoint_at)
    yield GaugeMetricFamily(
        "tringledger_proofs_cosignatures", "Witnesses that cosigned the last checkpoint.", len(status.witnesses)
    )
    yield GaugeMetricFamily(
        "tringledger_proofs_consistent", "1, or 0 if the log has diverged from its proofs.", not status.diverged
    )


def _distance(name: str, subject: str, position: int, lag: int, seconds: int) -> Iterator[Metric]:
    yield GaugeMetricFamily(f"tringledger_{name}_position", f"{subject}: the position reached.", position)
    yield from _lag(name, subject, lag, seconds)


def _lag(name: str, subject: str, lag: int, seconds: int) -> Iterator[Metric]:
    yield GaugeMetricFamily(f"tringledger_{name}_lag_events", f"{subject}: events behind the log.", lag)
    yield GaugeMetricFamily(
        f"tringledger_{name}_lag_seconds", f"{subject}: age of the oldest event that is missing.", seconds
    )


def _time(name: str, text: str, moment: int) -> Metric:
    """Return a moment (microseconds, UTC) as Prometheus has moments: seconds, UTC."""
    return GaugeMetricFamily(f"{name}_timestamp_seconds", text, moment / times.SECOND)
