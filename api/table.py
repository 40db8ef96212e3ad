"""The table of all routes behind the guard: every web part adds its own here, and there is no other way in."""

from api.access import log_page, signing_in
from api.access.guard import Guarded
from api.call import pages as call
from api.live import pages as live
from api.pages import table as pages
from api.resources import table as resources


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
