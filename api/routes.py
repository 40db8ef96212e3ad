"""The table of all routes behind the guard: every web part adds its own here, and there is no other way in."""

from api import table as pages
from api.web.auth.guard import Guarded
from api.web.json_api import routes as resources
from api.web.pages import audit_log as log_page
from api.web.pages import call, live
from api.web.pages import sign_in as signing_in


def guarded() -> list[Guarded]:
    """Return every route but the callbacks' and ``/health``; of two that fit a path, the first answers."""
    return [
        *signing_in.routes(),
        *log_page.routes(),
        *live.routes(),
        *call.routes(),
        *pages.routes(),
        *resources.routes(),
    ]
