"""All routes of the pages that stand here."""

from api.access.guard import Guarded
from api.pages import (
    account,
    assets,
    billing,
    display,
    events,
    exceptions,
    lists,
    operations,
    quarantine,
    searching,
    statements,
)


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
