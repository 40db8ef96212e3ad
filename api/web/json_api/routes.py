"""All operations of the API, and the document that is made from them."""

from api.web.auth.guard import GuardedRoute, Role
from api.web.json_api import (
    accounts,
    bookkeeping,
    bulk_jobs,
    calls,
    comparison,
    comparison_file,
    corrections,
    events,
    exceptions,
    jobs,
    lists,
    month_to_close,
    numbered_documents,
    openapi,
    quarantine,
    quarantine_settling,
    search,
    statements,
    suspects,
    tariffs,
    traffic,
)
from api.web.json_api import audit_log as access_log
from api.web.json_api import status as state
from api.web.json_api.downloads import Downloads
from api.web.json_api.endpoint import Endpoint
from api.web.json_api.operation import ApiOperation


def operations() -> list[ApiOperation]:
    """Return all operations, in the order of the documentation."""
    return [
        *state.operations(),
        *lists.operations(),
        *Downloads().operations(),
        *search.operations(),
        *calls.operations(),
        *events.operations(),
        *accounts.operations(),
        *traffic.operations(),
        *comparison.operations(),
        *comparison_file.operations(),
        *statements.operations(),
        *numbered_documents.operations(),
        *tariffs.operations(),
        *corrections.operations(),
        *bookkeeping.operations(),
        *month_to_close.operations(),
        *exceptions.operations(),
        *suspects.operations(),
        *quarantine.operations(),
        *quarantine_settling.operations(),
        *access_log.operations(),
        *jobs.operations(),
        *bulk_jobs.operations(),
    ]


def routes() -> list[GuardedRoute]:
    """Return the API's routes."""
    described = operations()
    named = [each.path for each in described if "{" not in each.path]
    served = [
        GuardedRoute(each.route or each.path, Endpoint(each, named), each.required_role, (each.method,), each.name)
        for each in described
    ]
    return [
        *served,
        GuardedRoute("/openapi.json", openapi.OpenApiDocument(described), Role.READ, name="openapi", records=None),
    ]
