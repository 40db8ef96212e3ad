"""How someone wants pages shown, light or dark: kept in a cookie of theirs, because it must be known before a page is drawn.

It is a link, so that it works without JavaScript; a script does the same without leaving the page.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

THEMES = ("light", "dark")
COOKIE = "theme"
YEAR_SECONDS = 365 * 86_400


class Theme(NamedTuple):
    """The theme that was chosen, or nothing: then the system's."""

    theme: str

    @property
    def other(self) -> str:
        """The theme that the switch leads to."""
        return "light" if self.theme == "dark" else "dark"


def theme_of(request: Request) -> Theme:
    """Return how the one who asks wants pages shown."""
    theme = request.cookies.get(COOKIE, "")
    return Theme(theme if theme in THEMES else "")


def choose_theme(request: Request) -> Response:
    """Keep a theme and go back to the page from which it was chosen; another theme than ours is the system's."""
    theme = request.query_params.get("theme", "")
    answer = RedirectResponse(back(request.query_params.get("back", "/")), 303)
    if theme in THEMES:
        answer.set_cookie(COOKIE, theme, max_age=YEAR_SECONDS, samesite="lax")
    else:
        answer.delete_cookie(COOKIE)
    return answer


def back(address: str) -> str:
    """Return an address within this service, and only its path and query, whatever was asked for."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:  # Half an IPv6 address.
        return "/"
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path
