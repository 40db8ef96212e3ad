"""A Sphinx extension: reference pages that are described from the code each time the site is built.

A page in docs/reference/ holds a title and an introduction. What the code says is put below them, so that it is always that of
this version. A new page of this kind needs a module here with a function `describe`, and a line in PAGES.
"""

from collections.abc import Callable, Iterable

from sphinx.application import Sphinx

from generated_reference import commands, events, grants, json_api, settings, tables

PAGES: dict[str, Callable[[], str]] = {
    "reference/settings": settings.describe,
    "reference/commands": commands.describe,
    "reference/events": events.describe,
    "reference/tables": tables.describe,
    "reference/json-api": json_api.describe,
    "reference/postgresql-grants": grants.describe,
}


def append_description(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put what the code says below the introduction of a page."""
    if page in PAGES:
        source[0] = f"{source[0]}\n{PAGES[page]()}"


def pages_to_read_again(*_event: object) -> Iterable[str]:
    """Return the pages that may have changed although their files have not."""
    return PAGES


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", append_description)
    app.connect("env-get-outdated", pages_to_read_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
