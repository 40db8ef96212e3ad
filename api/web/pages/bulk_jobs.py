"""The pages of bulk jobs: how far one is, what became of its items, and those of late; operators stop one that runs.

The changing part is a fragment that a script fetches repeatedly; without JavaScript the page loads itself again.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.application.bulk_jobs.bulk_job import KINDS, BulkJob, bulk_job_document, shown_filters
from api.application.bulk_jobs.bulk_runner import BulkRunner
from api.application.bulk_jobs.orders import BulkRequest
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.flash import read_flash
from api.web.pages.operator_forms import redirect_back, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from domain.errors import LedgerError

PATH = "/bulk-jobs"


def routes() -> list[GuardedRoute]:
    """Return the pages, and the button that stops a job."""
    one = PATH + "/{job_id}"
    return [
        GuardedRoute(PATH, with_error_pages(listed), Role.READ, name="bulk_jobs"),
        # The page, which says the same, was recorded when it was viewed; this is fetched each second.
        GuardedRoute(
            f"/fragments{one}/progress", with_error_pages(progress), Role.READ, name="bulk_job_progress", records=None
        ),
        GuardedRoute(one, with_error_pages(show), Role.READ, name="bulk_job"),
        GuardedRoute(f"{one}/stop", with_error_pages(stop), Role.OPERATE, methods=("POST",), name="stop_bulk_job"),
    ]


def start_bulk_job(request: Request, kind: str, wanted: dict[str, str], home: str) -> Response:
    """Start a job for the user and show its page, or say on the page ``home`` why it cannot be."""
    runner: BulkRunner = request.app.state.bulk
    who = request.state.identity
    # Whoever has just resolved some of them does not mean these.
    wait_for(request, request.app.state.ledger.head())
    try:
        job = runner.start(BulkRequest(kind, wanted, who.name, str(request.state.form.get("reason", "")), who.sees_pii))
    except LedgerError as error:
        return redirect_back(request, home, failed=str(error))
    return RedirectResponse(f"{PATH}/{job.id}", 303)


def listed(request: Request) -> Response:
    """Show the last jobs."""
    return render(request, "bulk_jobs.html", jobs=request.app.state.bulk.known(), kinds=KINDS)


def show(request: Request) -> Response:
    """Show one job."""
    return _shown(request, "bulk_job.html", outcome=read_flash(request))


def progress(request: Request) -> Response:
    """Return the changing part of a job's page."""
    return _shown(request, "bulk_job_progress.html")


def stop(request: Request) -> Response:
    """Stop a job; what it has done stays."""
    job_id = request.path_params["job_id"]
    home = f"{PATH}/{job_id}"
    try:
        job = request.app.state.bulk.stop(job_id, request.state.identity.name)
    except LedgerError as error:
        return redirect_back(request, home, failed=str(error))
    return redirect_back(request, home, done=f"stopped after {job.done} of {job.total}")


def _shown(request: Request, template: str, **context: Any) -> Response:
    job: BulkJob | None = request.app.state.bulk.find(request.path_params["job_id"])
    if job is None:
        return not_found(request, "there is no such job, or it is too long ago")
    whole = request.state.identity.sees_pii
    said = bulk_job_document(job, whole=whole)
    filters = shown_filters(job.order, whole=whole)
    return render(request, template, job=job, said=said, wanted=filters, meaning=KINDS[job.order.kind], **context)
