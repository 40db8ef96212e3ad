"""The page of operations: positions, failures, the last rebuild, and jobs that users start.

The changing part is a fragment that a script fetches repeatedly; without JavaScript you reload the page.
"""

import re
from threading import Lock
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import urls as addresses
from api.application import forwarding_position as forwarder
from api.application.bulk_jobs.bulk_job import RUNNING
from api.processes import jobs
from api.processes.jobs import JobRefused, Jobs
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.flash import read_flash
from api.web.pages.operator_forms import redirect_back
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from domain import times
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.building import certificate
from projections.schema.read_models import STORED_TABLES
from projections.stores.generations import ReadModelsUnusable

PATH = "/operations"
MINUTE_SECONDS = 60
TENTHS = 10
PACE_SECONDS_MAX = 120.0

_POSITION = re.compile(r"position ([0-9]{1,18})")


class ProjectionRate:
    """How fast the read models move, between two polls."""

    def __init__(self) -> None:
        """Begin with no poll."""
        self._seen: list[tuple[float, int]] = []
        self._lock = Lock()

    def look(self, position: int, now: float) -> int | None:
        """Return tenths of an event per second since the earliest poll of the last minutes; None at the first one."""
        with self._lock:
            self._seen = [seen for seen in self._seen if seen[0] > now - PACE_SECONDS_MAX]
            self._seen.append((now, position))
            (begun, first), elapsed = self._seen[0], now - self._seen[0][0]
        return int((position - first) * TENTHS / elapsed) if elapsed >= 1 and begun < now else None


def routes() -> list[GuardedRoute]:
    """Return the page, its changing part, and its actions."""
    pace = ProjectionRate()

    def shown(request: Request) -> Response:
        return operations(request, pace)

    def moving(request: Request) -> Response:
        return render(request, "operations_now.html", **now(request, pace))

    return [
        GuardedRoute(PATH, with_error_pages(shown), Role.READ, name="operations"),
        GuardedRoute("/fragments/operations", with_error_pages(moving), Role.READ, records=None, name="operations_now"),
        GuardedRoute(f"{PATH}/jobs", with_error_pages(start), Role.OPERATE, methods=("POST",), name="start_job"),
    ]


def operations(request: Request, pace: ProjectionRate) -> Response:
    """Show the state of everything."""
    return render(
        request,
        "operations.html",
        kinds=jobs.KINDS,
        outcome=read_flash(request),
        **now(request, pace),
    )


def start(request: Request) -> Response:
    """Start a job."""
    started: Jobs = request.app.state.jobs
    try:
        job = started.start(str(request.state.form.get("kind", "")), request.state.identity.name)
    except JobRefused as error:
        return redirect_back(request, PATH, failed=str(error))
    return redirect_back(request, PATH, done=f"{job.kind} has begun")


def now(request: Request, pace: ProjectionRate) -> dict[str, Any]:
    """Return the changing part."""
    state = request.app.state
    ledger: Ledger = state.ledger
    clock, head, failure = state.clock(), ledger.head(), ""
    try:
        with state.read_models.session() as room:
            position = room.position
    except ReadModelsUnusable as error:
        position, failure = 0, str(error)
    following = state.service.follower.state
    failure = failure or following.failure or state.read_models.damage()
    lag, seconds = ledger.lag(position, clock)
    minute_ago = ledger.position_at(clock - MINUTE_SECONDS * times.SECOND)
    return {
        "models": list(STORED_TABLES),
        "head": head,
        "position": position,
        "lag": max(lag, 0),
        "seconds": seconds,
        "stands_by": following.stands_by,
        "failure": failure,
        "culprit": _culprit(failure, head),
        "recorded": (head - minute_ago) * TENTHS // MINUTE_SECONDS,
        "applied": pace.look(position, monotonic()),
        "quarantined": sum(ledger.store.count_quarantined()),
        "spool": state.service.spool.totals() if state.service.spool else None,
        "forwarding": _forwarding(request, ledger, clock),
        "jobs": state.jobs.known(),
        "bulk_running": any(job.state == RUNNING for job in state.bulk.known()),
        "certificate": certificate.load_certificate(ledger),
        "proofs": state.proofs.status(clock, state.service.prover.state.failure),
    }


def _culprit(failure: str, head: int) -> int | None:
    """Return the position of the event that a failure names."""
    found = _POSITION.search(failure)
    position = int(found[1]) if found else 0
    return position if 0 < position <= head else None


def _forwarding(request: Request, ledger: Ledger, clock: int) -> dict[str, Any] | None:
    url = request.app.state.settings.forward_url
    try:
        kept = forwarder.load_position(ledger)
    except LedgerError as error:
        return {"to": "", "position": 0, "lag": 0, "seconds": 0, "failure": str(error)}
    if not kept:
        return None
    lag, seconds = ledger.lag(kept.position, clock)
    to = addresses.redacted(url) if url else ""
    return {"to": to, "position": kept.position, "lag": lag, "seconds": seconds, "failure": kept.failure}
