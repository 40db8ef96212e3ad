"""The page of tariffs and closed months, and the page of one version of the tariff with what it changed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.application.published_tariffs import diff_lines, published_versions
from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.flash import read_flash
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from domain.events.streams import NUMBERS, PARTIES
from domain.operators.statement_numbering import read_numbers
from projections.queries.pagination import fetch_page
from projections.queries.selection import Selection

LISTED_MAX = 500


def routes() -> list[GuardedRoute]:
    """Return the pages."""
    return [
        GuardedRoute("/tariffs", with_error_pages(tariffs_and_closings), Role.READ),
        GuardedRoute("/tariffs/{version}", with_error_pages(tariff_version), Role.READ),
    ]


def tariffs_and_closings(request: Request) -> Response:
    """Show the published tariffs, the closed months and the numbered statements, latest first."""
    with request.app.state.read_models.session() as room:
        published = _latest(room, "tariffs", "-version")
        closed = _latest(room, "closings", "-period")
        known = read_numbers(room.ledger.history(NUMBERS))
        # Whoever bills otherwise publishes no party, and has no number to miss.
        bills = bool(known.events) or bool(room.ledger.history(PARTIES))
    return render(
        request,
        "tariffs.html",
        tariffs=published,
        closings=closed,
        statements=Counter(period for _, period in known.statements) if bills else None,
        numbered=known.events[-LISTED_MAX:][::-1],
        reissues=known.reissues,
        outcome=read_flash(request),
    )


def _latest(room: ReadSession, model: str, sort: str) -> Sequence[Any]:
    return fetch_page(room.connection, model, Selection(), room.ledger.timezone, sort, limit=LISTED_MAX).rows


def tariff_version(request: Request) -> Response:
    """Show a version: its text with its lines numbered, and what it changed in the version before it."""
    wanted = request.path_params["version"]
    versions = published_versions(request.app.state.ledger)
    number = next((number for number, each in enumerate(versions) if str(each.event.version) == wanted), None)
    if number is None:
        return not_found(request, f"there is no tariff version {wanted!r}: expected one of {len(versions)} published")
    found, before = versions[number], versions[number - 1] if number else None
    return render(
        request,
        "tariff.html",
        found=found,
        before=before,
        following=versions[number + 1] if number + 1 < len(versions) else None,
        diff=list(diff_lines(before.event.text, found.event.text)) if before else [],
        lines=found.event.text.rstrip("\n").split("\n"),
    )
