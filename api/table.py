"""All routes of the pages that stand here."""

from api.web.auth.guard import Guarded
from api.web.pages import account, assets, billing, exceptions, lists, operations, quarantine, statements
from api.web.pages import event as events
from api.web.pages import search as searching
from api.web.pages import theme as display


def routes() -> list[Guarded]:
    """Return them; only files and the theme are open to anybody."""
    return [
        Guarded("/static/{digest}/{name:path}", assets.serve, None),
        Guarded("/display", display.choose, None),
        *account.routes(),
        *lists.routes(),
        *billing.routes(),
        *exceptions.routes(),
        *quarantine.routes(),
        *operations.routes(),
        *searching.routes(),
        *statements.routes(),
        *events.routes(),
    ]
