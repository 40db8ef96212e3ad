"""The table of the API: all of its operations, and the two documents that are made from it."""

from api.web.auth.guard import Guarded, Role
from api.web.json_api import accounts, calls, exceptions, jobs, lists, openapi, quarantine
from api.web.json_api import audit_log as access_log
from api.web.json_api import reference_page as reference
from api.web.json_api import status as state
from api.web.json_api.downloads import Files
from api.web.json_api.endpoint import Serving
from api.web.json_api.operation import Operation


def operations() -> list[Operation]:
    """Return all operations, in the order in which they are described."""
    return [
        *state.operations(),
        *lists.operations(),
        *Files().operations(),
        *calls.operations(),
        *accounts.operations(),
        *exceptions.operations(),
        *quarantine.operations(),
        *access_log.operations(),
        *jobs.operations(),
    ]


def routes() -> list[Guarded]:
    """Return the API's routes."""
    described = operations()
    served = [Guarded(each.path, Serving(each), each.needs, (each.method,), each.name) for each in described]
    document, page = openapi.Document(described), reference.Page(described)
    return [
        *served,
        Guarded("/openapi.json", document, Role.READ, name="openapi", records=None),
        Guarded("/reference", page, Role.READ, name="reference", records=None),
    ]
