"""Bulk jobs: what an operator does to all items that fit some filters, and how far that is.

The last jobs are kept in the ledger's facts, so every process of the service knows them, also after a restart. Each step of
a job commits what it did together with how far the job then is: no item is done twice, whatever ends the process.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from api.application.masking import masked_number, masked_text
from domain import times
from domain.errors import CommandRejected
from domain.ledger import Ledger
from domain.log.contract import LedgerFacts

FACT = "bulk_jobs"
KEPT = 20
CAUSES_MAX = 20
OTHER_CAUSES = "other causes"

REPROCESS_QUARANTINE, RESOLVE_QUARANTINE = "reprocess-quarantine", "resolve-quarantine"
RESOLVE_EXCEPTIONS, REOPEN_EXCEPTIONS = "resolve-exceptions", "reopen-exceptions"
RERATE_ACCOUNT = "rerate-account"
KINDS = {
    REPROCESS_QUARANTINE: "try quarantined notices again",
    RESOLVE_QUARANTINE: "settle quarantined notices that will not be recorded",
    RESOLVE_EXCEPTIONS: "resolve open exceptions",
    REOPEN_EXCEPTIONS: "open resolved exceptions again",
    RERATE_ACCOUNT: "price the calls of an account's month by another version of the tariff",
}
RUNNING, DONE, STOPPED, FAILED = "running", "done", "stopped", "failed"
STATES = (RUNNING, DONE, STOPPED, FAILED)


class BulkJobRefused(CommandRejected):
    """The job is unknown, or nothing fits, or another one is running."""


class BulkJobTaken(CommandRejected):
    """The job was stopped meanwhile, or another process has it."""


class BulkOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator orders: the kind of job, the filters as texts by name, in whose name and why; ``at`` is microseconds, UTC.

    ``until`` is the last item that is meant: a notice's number, or a position of the log. What comes later is not.
    """

    kind: str
    wanted: dict[str, str]
    by: str
    reason: str
    at: int
    until: int


class BulkStep(msgspec.Struct, frozen=True):
    """What one transaction did: how many items with which outcome, how many were refused for which cause, and where to go on."""

    cursor: str
    outcomes: Mapping[str, int]
    refused: Mapping[str, int]
    is_last: bool

    @property
    def items(self) -> int:
        """How many items it looked at."""
        return sum(self.outcomes.values()) + sum(self.refused.values())


class BulkJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job: its order, its state, and how far it is; ``total`` is how many items fitted when it was ordered.

    ``seen_at`` and ``ended_at`` (microseconds, UTC) are when it last went on, and when it ended (0: it has not).
    ``owner`` is the run that does it now, ``stopped_by`` who stopped it.
    """

    id: str
    order: BulkOrder
    total: int
    state: str = RUNNING
    seen_at: int = 0
    ended_at: int = 0
    owner: str = ""
    cursor: str = ""
    outcomes: dict[str, int] = {}
    refused: dict[str, int] = {}
    stopped_by: str = ""
    failure: str = ""

    @property
    def done(self) -> int:
        """How many items have been looked at."""
        return sum(self.outcomes.values()) + sum(self.refused.values())

    @property
    def left(self) -> int:
        """How many items have not been looked at, as far as is known."""
        return 0 if self.state == DONE else max(self.total - self.done, 0)

    def after(self, step: BulkStep, now: int) -> "BulkJob":
        """Return the job after a step."""
        return msgspec.structs.replace(
            self,
            cursor=step.cursor,
            outcomes=dict(Counter(self.outcomes) + Counter(step.outcomes)),
            refused=_with_few_causes(Counter(self.refused) + Counter(step.refused)),
            seen_at=now,
            state=DONE if step.is_last else RUNNING,
            ended_at=now if step.is_last else 0,
        )


def _with_few_causes(counts: Counter[str]) -> dict[str, int]:
    named = {name: count for name, count in counts.items() if name != OTHER_CAUSES}
    kept = dict([*named.items()][:CAUSES_MAX])
    others = counts.total() - sum(kept.values())
    return kept | ({OTHER_CAUSES: others} if others else {})


def known_bulk_jobs(ledger: Ledger) -> list[BulkJob]:
    """Return the last jobs, the latest first; raises StoreUnavailable."""
    return _decoded(ledger.store.facts().get(FACT))


def find_bulk_job(ledger: Ledger, job_id: str) -> BulkJob | None:
    """Return a job, or None if it is unknown, or too long ago; raises StoreUnavailable."""
    return next((job for job in known_bulk_jobs(ledger) if job.id == job_id), None)


def add_bulk_job(ledger: Ledger, job: BulkJob) -> None:
    """Keep a new job; raises BulkJobRefused while another one is running, StoreUnavailable."""
    with ledger.store.transaction() as log:
        before = _decoded(log.get_fact(FACT))
        if running := next((other for other in before if other.state == RUNNING), None):
            msg = f"the job {running.order.kind} is running, started by {running.order.by}; wait until it ends, or stop it"
            raise BulkJobRefused(msg)
        _keep(log, [job, *before])


def stop_bulk_job(ledger: Ledger, job_id: str, by: str, now: int) -> BulkJob:
    """Stop a job: from now on it does nothing; return it. Raises BulkJobRefused unless it is running, StoreUnavailable."""
    with ledger.store.transaction() as log:
        jobs = _decoded(log.get_fact(FACT))
        job = next((each for each in jobs if each.id == job_id), None)
        if job is None or job.state != RUNNING:
            state = f"has ended: {job.state}" if job else "is unknown, or too long ago"
            msg = f"the job {job_id} {state}; expected one that is running"
            raise BulkJobRefused(msg)
        stopped = msgspec.structs.replace(job, state=STOPPED, stopped_by=by, seen_at=now, ended_at=now)
        _keep(log, [stopped if each.id == job_id else each for each in jobs])
    return stopped


def change_owned_job(facts: LedgerFacts, job: BulkJob, change: Callable[[BulkJob], BulkJob]) -> BulkJob:
    """Change a job within a transaction, if it still runs and still has the owner of ``job``; return it changed.

    Raises BulkJobTaken otherwise: then the transaction must be rolled back.
    """
    jobs = _decoded(facts.get_fact(FACT))
    present = next((each for each in jobs if each.id == job.id), None)
    if present is None or present.state != RUNNING or present.owner != job.owner:
        msg = f"the job {job.id} was stopped, or another process has it"
        raise BulkJobTaken(msg)
    changed = change(present)
    _keep(facts, [changed if each.id == job.id else each for each in jobs])
    return changed


def bulk_job_document(job: BulkJob, *, whole: bool) -> dict[str, Any]:
    """Return a job as JSON has it; unless ``whole``, numbers in its texts are masked."""
    order = job.order
    shown = (lambda text: text) if whole else masked_text
    return {
        "id": job.id,
        "kind": order.kind,
        "by": order.by,
        "reason": shown(order.reason),
        "filters": shown_filters(order, whole=whole),
        "state": job.state,
        "started_at": times.iso(order.at),
        "seen_at": times.iso(job.seen_at),
        "ended_at": times.iso(job.ended_at) if job.ended_at else None,
        "total": job.total,
        "done": job.done,
        "left": job.left,
        "outcomes": job.outcomes,
        "refused": job.refused,
        "stopped_by": job.stopped_by,
        "failure": shown(job.failure),
    }


def shown_filters(order: BulkOrder, *, whole: bool) -> dict[str, str]:
    """Return an order's filters as they may be shown."""
    if whole:
        return order.wanted
    return {name: masked_number(text) if name == "number" else masked_text(text) for name, text in order.wanted.items()}


def _decoded(fact: str | None) -> list[BulkJob]:
    return msgspec.json.decode(fact, type=list[BulkJob]) if fact else []


def _keep(facts: LedgerFacts, jobs: list[BulkJob]) -> None:
    facts.set_fact(FACT, msgspec.json.encode(jobs[:KEPT]).decode())
