"""What users choose for all pages, kept in cookies: the theme, light or dark, and the unit of amounts, US cents or US dollars.

They must be known before a page is drawn. The switches are links, so they work without JavaScript; for the theme a script does the
same without leaving the page.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.pages.money import CENTS, DOLLARS, UNIT_NAMES

THEMES, UNITS = ("light", "dark"), (DOLLARS,)
THEME, UNIT = "theme", "unit"
# What each choice may be; anything else means the usual one: the system's theme, or US cents.
CHOICES = {THEME: THEMES, UNIT: UNITS}
YEAR_SECONDS = 365 * 86_400


class DisplayChoices(NamedTuple):
    """The chosen theme, empty for the system's, and the unit of amounts, empty for US cents."""

    theme: str
    unit: str

    @property
    def other(self) -> str:
        """The theme that the switch leads to."""
        return "light" if self.theme == "dark" else "dark"

    @property
    def unit_name(self) -> str:
        """The name of the unit that is shown."""
        return UNIT_NAMES[self.unit]

    @property
    def unit_behind(self) -> str:
        """What stands behind an amount with its unit in words: that of cents; dollars have their sign before them."""
        return "" if self.unit else f" {self.unit_name}"

    @property
    def unit_sign(self) -> str:
        """What stands behind an amount in running text: the sign of cents; dollars have theirs before them."""
        return "" if self.unit else "\u00a0¢"

    @property
    def other_unit(self) -> str:
        """The unit that the switch leads to."""
        return "cents" if self.unit else DOLLARS

    @property
    def other_unit_name(self) -> str:
        """The name of the unit that the switch leads to."""
        return UNIT_NAMES[CENTS if self.unit else DOLLARS]


def choices_of(request: Request) -> DisplayChoices:
    """Return what the user of a request chose."""
    given = {name: request.cookies.get(name, "") for name in CHOICES}
    return DisplayChoices(**{name: value if value in CHOICES[name] else "" for name, value in given.items()})


def choose_display(request: Request) -> Response:
    """Keep what the address chooses and return to the page; an unknown value means the usual one."""
    answer = RedirectResponse(back(request.query_params.get("back", "/")), 303)
    for name, choices in CHOICES.items():
        value = request.query_params.get(name)
        if value is not None and value in choices:
            answer.set_cookie(name, value, max_age=YEAR_SECONDS, samesite="lax")
        elif value is not None:
            answer.delete_cookie(name)
    return answer


def back(address: str) -> str:
    """Return the path and query of an address, and nothing that leads elsewhere."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:  # Half an IPv6 address.
        return "/"
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path
