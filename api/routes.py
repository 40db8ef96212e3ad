"""Every route behind the guard, in one list: every page and every operation of the JSON API is here, and nothing else."""

from api.web import proofs
from api.web.auth.guard import GuardedRoute
from api.web.json_api import routes as json_api
from api.web.pages import (
    account,
    assets,
    audit_log,
    billing,
    bulk_jobs,
    call,
    closings,
    comparison,
    corrections,
    display,
    event,
    exceptions,
    lists,
    live,
    operations,
    publication,
    quarantine,
    reference_page,
    reratings,
    search,
    sign_in,
    statements,
    tariffs,
    traffic,
)


def guarded() -> list[GuardedRoute]:
    """Return every route but ``/notify`` and ``/health``. If two fit a path, the first one answers."""
    return [
        *sign_in.routes(),
        *audit_log.routes(),
        *live.routes(),
        *call.routes(),
        *corrections.routes(),
        *reratings.routes(),
        *closings.routes(),
        *publication.routes(),
        GuardedRoute("/static/{digest}/{name:path}", assets.serve, None),
        GuardedRoute("/display", display.choose_display, None),
        *account.routes(),
        *lists.routes(),
        *billing.routes(),
        *comparison.routes(),
        *traffic.routes(),
        *exceptions.routes(),
        *quarantine.routes(),
        *operations.routes(),
        *bulk_jobs.routes(),
        *search.routes(),
        *statements.routes(),
        *tariffs.routes(),
        *event.routes(),
        *proofs.routes(),
        *json_api.routes(),
        *reference_page.routes(json_api.operations()),
    ]
