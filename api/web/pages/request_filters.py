"""The filters, order and cursor in the address of a page; a bad one is answered with an error page.

Every error of the ledger becomes a page with its message and the status that fits.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.processes.past_read_models import PastNotReady
from api.web.pages.rendering import render
from domain.errors import LedgerError, StoreUnavailable
from projections.queries import filter_texts as filters
from projections.queries.filter_texts import WrongFilters
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError, describe_span
from projections.stores.generations import ReadModelsUnusable

Endpoint = Callable[[Request], Response]

AGAIN_SECONDS = 2
_UNFIT = "The read models must be rebuilt"


class RequestFilters(NamedTuple):
    """Filters as texts by name, and their selection; it is None if they are invalid (see ``problem``).

    ``span`` says from when to when rows are selected; it is empty if they are not selected by their time.
    """

    filters: dict[str, str]
    selection: Selection | None
    problem: str = ""
    span: str = ""


def filters_given(query: Mapping[str, str], names: tuple[str, ...] = filters.NAMES) -> dict[str, str]:
    """Return the filters of an address, without the empty ones that a form sends."""
    return {name: query[name].strip() for name in names if query.get(name, "").strip()}


def filter_context(request: Request) -> filters.FilterContext:
    """Return the context that filters are read in."""
    ledger = request.app.state.ledger
    now, sees_pii = request.app.state.clock(), request.state.identity.sees_pii
    return filters.FilterContext(ledger.timezone, ledger.line_rule, ledger.options.window, now, sees_pii)


def read_filters(request: Request, model: str) -> RequestFilters:
    """Read the filters on a read model."""
    found, context = filters_given(request.query_params), filter_context(request)
    try:
        selection = filters.read_filters(model, found, context)
        return RequestFilters(found, selection, span=describe_span(selection.since, selection.until, context.timezone))
    except WrongFilters as wrong:
        return RequestFilters(found, None, ". ".join(each.problem for each in wrong.bad))


def with_error_pages(endpoint: Endpoint) -> Endpoint:
    """Show an endpoint's errors as a page that says what to do; nothing is logged twice."""

    @wraps(endpoint)
    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except PastNotReady as error:
            page = _problem(request, 503, "Looking back", error)
            page.headers["Refresh"] = str(AGAIN_SECONDS)
            return page
        except ReadModelsUnusable as error:
            return _problem(request, 503, _UNFIT, error)
        except StoreUnavailable as error:
            return _problem(request, 503, "The store cannot be used now", error)
        except SelectionError as error:
            return _problem(request, 400, "This cannot be shown", error)
        except LedgerError as error:
            return _problem(request, 409, "This cannot be done", error)

    return answer


def _problem(request: Request, status: int, title: str, error: Exception) -> Response:
    return render(request, "problem.html", status=status, title=title, detail=str(error))


def not_found(request: Request, detail: str) -> Response:
    """Answer that there is no such page."""
    return render(request, "problem.html", status=404, title="Nothing there", detail=detail)
