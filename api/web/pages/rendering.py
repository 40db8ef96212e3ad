"""Rendering of pages: templates, their data, and what every page has (user, theme, status line).

Text is escaped everywhere, and a name that a template misses is an error, not an empty place.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.web.auth.csrf import mask_token
from api.web.hidden_address import hide_address
from api.web.pages import assets, display, flash
from api.web.pages.addresses import address
from api.web.pages.cells import write_cells
from api.web.pages.footer import read_footer
from api.web.pages.formatting import FILTERS, account_path, rerated_path, statement_path, text
from api.web.past_sessions import AS_OF
from projections.queries.conditions import PATTERNED
from projections.queries.text_patterns import write_exactly

TEMPLATES = Path(__file__).parent / "templates"


NOT_PRINTED = ("cursor", "whole", *flash.NAMES)


@cache
def environment() -> Environment:
    """Return the template environment, with its filters and functions."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS, exactly=write_exactly, failure=_failure)
    made.globals["static"] = assets.asset_path
    made.globals.update(
        url=address,
        chosen=toggle_filter,
        is_chosen=is_chosen,
        printed_query=printed_query,
        account_path=account_path,
        rerated_path=rerated_path,
        statement_path=statement_path,
        write_cells=write_cells,
    )
    return made


@pass_context
def _failure(context: Context, said: str) -> Markup:
    ledger = getattr(context["request"].app.state, "ledger", None)
    return text(hide_address(said, ledger.url) if ledger else said)


def render(request: Request, name: str, *, status: int = 200, **context: Any) -> Response:
    """Return a page made from a template of this folder.

    Every template has ``request``, ``who`` (the user; None without a signed-in user), ``csrf_token``, ``foot``,
    ``shown`` (theme and unit of amounts) and the given values. Call it in a thread: a page reads the head from the ledger's
    store.
    """
    who = getattr(request.state, "identity", None)
    known: dict[str, Any] = {
        "request": request,
        "path": request.url.path,
        "who": who,
        "csrf_token": mask_token(getattr(request.state, "csrf_token", "")),
        "foot": read_footer(request) if who else None,  # The ledger's state is not for strangers.
        "shown": display.choices_of(request),
        # As of when the page is, which its links keep; pages that know the present alone ignore it.
        "asof": request.query_params.get(AS_OF, "").strip(),
    }
    html = environment().get_template(name).render(known | context)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def printed_query(request: Request) -> list[tuple[str, str]]:
    """Return what of the address a print names: neither the place within a list, nor the message of a form."""
    return [each for each in request.query_params.items() if each[1] and each[0] not in NOT_PRINTED]


def toggle_filter(now: Mapping[str, str], name: str, value: str) -> dict[str, Any]:
    """Return filters with one value toggled; an empty value selects rows that have none.

    Filters for rows without a value are named in ``without``, since an empty value in an address means no filter.
    """
    value = write_exactly(value) if name in PATTERNED else value
    without = [each for each in now.get("without", "").split(",") if each and each != name]
    others = {each: text for each, text in now.items() if each not in (name, "without")}
    if is_chosen(now, name, value):
        return _with(others, without)
    return _with(others | {name: value}, without) if value else _with(others, [*without, name])


def is_chosen(now: Mapping[str, str], name: str, value: str) -> bool:
    """Whether filters select exactly this value."""
    value = write_exactly(value) if name in PATTERNED else value
    return now.get(name) == value if value else name in now.get("without", "").split(",")


def _with(others: dict[str, str], without: list[str]) -> dict[str, str]:
    return others | ({"without": ",".join(without)} if without else {})
