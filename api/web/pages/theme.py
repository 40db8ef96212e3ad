"""The theme of pages, light or dark: kept in a cookie, since it must be known before a page is drawn.

The switch is a link, so it works without JavaScript; a script does the same without leaving the page.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

THEMES = ("light", "dark")
COOKIE = "theme"
YEAR_SECONDS = 365 * 86_400


class Theme(NamedTuple):
    """The chosen theme; empty for the system's."""

    theme: str

    @property
    def other(self) -> str:
        """The theme that the switch leads to."""
        return "light" if self.theme == "dark" else "dark"


def theme_of(request: Request) -> Theme:
    """Return the theme of a request."""
    theme = request.cookies.get(COOKIE, "")
    return Theme(theme if theme in THEMES else "")


def choose_theme(request: Request) -> Response:
    """Keep a theme and return to the page; an unknown theme means the system's."""
    theme = request.query_params.get("theme", "")
    answer = RedirectResponse(back(request.query_params.get("back", "/")), 303)
    if theme in THEMES:
        answer.set_cookie(COOKIE, theme, max_age=YEAR_SECONDS, samesite="lax")
    else:
        answer.delete_cookie(COOKIE)
    return answer


def back(address: str) -> str:
    """Return the path and query of an address, and nothing that leads elsewhere."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:  # Half an IPv6 address.
        return "/"
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path
