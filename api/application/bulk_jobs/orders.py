"""Orders of bulk jobs: which filters each kind has, and what is ordered once they are read."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import uuid4

import msgspec

from api.application import quarantine_filters
from api.application.bulk_jobs.bulk_job import (
    REOPEN_EXCEPTIONS,
    REPROCESS_QUARANTINE,
    RERATE_ACCOUNT,
    RESOLVE_EXCEPTIONS,
    RESOLVE_QUARANTINE,
    BulkJob,
    BulkJobRefused,
    BulkOrder,
)
from api.application.bulk_jobs.bulk_work import BulkWork, OpenReadSession
from api.application.bulk_jobs.exception_work import MODEL, ExceptionWork
from api.application.bulk_jobs.quarantine_work import QuarantineWork
from api.application.bulk_jobs.rerating_work import RerateWork
from domain.errors import WrongUsage
from domain.ledger import Ledger
from domain.operators.author import Author
from projections.queries import filter_texts
from projections.queries.filter_texts import FilterContext

FILTERS: dict[str, tuple[str, ...]] = {
    REPROCESS_QUARANTINE: quarantine_filters.NAMES,
    RESOLVE_QUARANTINE: quarantine_filters.NAMES,
    RESOLVE_EXCEPTIONS: filter_texts.filter_names(MODEL),
    REOPEN_EXCEPTIONS: filter_texts.filter_names(MODEL),
    RERATE_ACCOUNT: ("account", "period", "tariff"),
}


def open_work(ledger: Ledger, order: BulkOrder, open_session: OpenReadSession) -> BulkWork:
    """Return the work of an order; raises LedgerError for filters that cannot be read."""
    if order.kind in (REPROCESS_QUARANTINE, RESOLVE_QUARANTINE):
        return QuarantineWork(ledger, order)
    if order.kind == RERATE_ACCOUNT:
        return RerateWork(ledger, order, open_session)
    return ExceptionWork(ledger, order, open_session)


class BulkRequest(NamedTuple):
    """What an operator asks for: a kind of job, filters as texts by name, in whose name and why.

    ``sees_pii`` tells whether the operator may see what is masked otherwise: others select by whole numbers alone.
    """

    kind: str
    wanted: Mapping[str, str]
    by: str
    reason: str
    sees_pii: bool = True


def read_order(ledger: Ledger, open_session: OpenReadSession, request: BulkRequest, at: int) -> BulkOrder:
    """Return the order of a request: all items that fit its filters and are there now, at ``at`` (microseconds, UTC).

    Raises WrongUsage for an unknown kind or filter, SelectionError for one that cannot be read, CommandRejected without an
    author or a reason, which only reprocessing does not need.
    """
    kind = request.kind
    if kind not in FILTERS:
        msg = f"unknown kind of bulk job {kind[:40]!r}; expected one of {', '.join(FILTERS)}"
        raise WrongUsage(msg)
    given = {name: value for name, value in request.wanted.items() if value}
    if unknown := [name for name in given if name not in FILTERS[kind]]:
        msg = f"{kind} has no filter {unknown[0]!r}; expected some of {', '.join(FILTERS[kind])}"
        raise WrongUsage(msg)
    if "number" in given:
        terms = FilterContext(ledger.timezone, ledger.line_rule, ledger.options.window, at, request.sees_pii)
        filter_texts.read_filters(MODEL, {"number": given["number"]}, terms)
    Author(request.by, request.reason or ("-" if kind == REPROCESS_QUARANTINE else "")).check()
    order = BulkOrder(kind=kind, wanted=given, by=request.by, reason=request.reason, at=at, until=0)
    return msgspec.structs.replace(order, until=open_work(ledger, order, open_session).last_item())


def new_bulk_job(ledger: Ledger, order: BulkOrder, open_session: OpenReadSession) -> BulkJob:
    """Return a job for an order, which has not begun; raises BulkJobRefused if nothing fits."""
    total = open_work(ledger, order, open_session).count()
    if not total:
        shown = ", ".join(f"{name}={value}" for name, value in order.wanted.items())
        msg = f"nothing to do: {order.kind} finds nothing{f' with {shown}' if shown else ''}"
        raise BulkJobRefused(msg)
    return BulkJob(id=str(uuid4()), order=order, total=total, seen_at=order.at)
