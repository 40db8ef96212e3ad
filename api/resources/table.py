"""The table of the API: all of its operations, and the two documents that are made from it."""

from api.access.guard import Guarded, Role
from api.resources import access_log, accounts, calls, exceptions, jobs, lists, openapi, quarantine, reference, state
from api.resources.files import Files
from api.resources.operations import Operation
from api.resources.serving import Serving


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
