"""The pages that list a read model's rows: filters, order, pages, and the sums of the whole selection.

Sums and facets take longer than rows, so they are fragments that are fetched once the rows are shown; so are the rows where finding
them takes long, as it does in an order that no index has beside the filters. Without JavaScript a link loads the page with all of it.
"""

from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.listed_models import COLS, LISTS, OPERATOR_EVENTS, ListedModel
from api.web.pages.reading_time import read_by_page
from api.web.pages.rendering import render
from api.web.pages.request_filters import RequestFilters, read_filters, with_error_pages
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from projections.queries import facets
from projections.queries import pagination as browsing
from projections.queries.call_lookup import undoing_positions
from projections.queries.log_points import LogPoint
from projections.queries.selection import chosen_columns, read_model
from projections.queries.time_points import SelectionError

ROWS = 100
# Where rows have to be counted one by one, so many take a twentieth of a second.
FACET_ROWS_MAX = 20_000
# And so many a fifth of a second, in which they are summed up unasked.
SUMMED_ROWS_MAX = 200_000
WHOLE = "whole"


def routes() -> list[GuardedRoute]:
    """Return the lists, and the fragments of their rows, sums and facets."""
    listed = [GuardedRoute(each.path, ListPage(each), Role.READ, name=f"list_{each.model}") for each in LISTS.values()]
    return [*listed, GuardedRoute("/fragments/{model}/{part}", fragment, Role.READ, name="fragment")]


class ListPage:
    """The page of a list."""

    def __init__(self, listed: ListedModel) -> None:
        """Show this list."""
        self.listed = listed

    def __call__(self, request: Request) -> Response:
        """Show a page of the selected rows."""
        return with_error_pages(self._shown)(request)

    def _shown(self, request: Request) -> Response:
        listed, (read, point) = self.listed, read_with_as_of(request, self.listed.model)
        view = ListView(request, listed)
        whole = bool(request.query_params.get(WHOLE))
        context: dict[str, Any] = {"problem": read.problem, "span": read.span, "whole": whole, "as_of": ""}
        context |= view.context(read)
        if read.selection is None:
            return render(request, "list.html", status=400, **context)
        context["as_of"] = describe_as_of(point, request.app.state.ledger.timezone)
        with read_session_as_of(request, point) as room:
            context |= view.fetch_rows(room, read, by_page=not whole)
            if whole:
                context["summed"] = sum_selection(room, listed.model, read)
                context["counted"] = facet_selection(room, listed.model, read)
        return render(request, "list.html", **context)


def read_with_as_of(request: Request, model: str) -> tuple[RequestFilters, LogPoint | None]:
    """Read the filters on a read model, and as of when it is read; links of the page keep both."""
    read, text = read_filters(request, model), request.query_params.get(AS_OF, "").strip()
    kept = read.filters | ({AS_OF: text} if text else {})
    return read._replace(filters=kept), read_as_of(request.app.state.ledger, text)


def fragment(request: Request) -> Response:
    """Return the rows, the sums or the facets of a selection as a fragment."""
    return with_error_pages(_fragment)(request)


def _fragment(request: Request) -> Response:
    model, part = request.path_params["model"], request.path_params["part"]
    if model not in LISTS or part not in ("rows", "sums", "facets"):
        msg = f"there is no part {part!r} of {model!r}"
        raise SelectionError(msg)
    read, point = read_with_as_of(request, model)
    if read.selection is None:
        raise SelectionError(read.problem)
    view = ListView(request, LISTS[model])
    context = view.context(read) | {"whole": False}
    with read_session_as_of(request, point) as room:
        if part == "rows":
            return render(request, "list_rows.html", **context, **view.fetch_rows(room, read, by_page=False))
        if part == "sums":
            summed = sum_selection(room, model, read, SUMMED_ROWS_MAX)
            return render(request, "sums.html", summed=summed, rows_max=SUMMED_ROWS_MAX, **context)
        return render(request, "facets.html", counted=facet_selection(room, model, read), **context)


class ListView:
    """How an address wants a list to look: its order and its columns, which links to the same list keep, and where its page begins."""

    def __init__(self, request: Request, listed: ListedModel) -> None:
        """Read them; raises SelectionError for a column that the list does not have."""
        self.listed = listed
        self.sort, self.cursor = (request.query_params.get(name, "") for name in ("sort", "cursor"))
        self.columns = listed.chosen_columns(request.query_params.getlist(COLS))

    def context(self, read: RequestFilters) -> dict[str, Any]:
        """Return what templates show it with: ``look`` are the parameters that links keep."""
        look = {"sort": self.sort, COLS: self.listed.written(self.columns)}
        context = {"listed": self.listed, "filters": read.filters, "columns": self.columns, "look": look}
        context |= {"sort": self._shown_sort(), "sorts": read_model(self.listed.model).sorts, "cursor": self.cursor}
        return context | {"entries_sort": self._entries_sort(), "entries_cols": self._entries_columns()}

    def fetch_rows(self, room: ReadSession, read: RequestFilters, *, by_page: bool) -> dict[str, Any]:
        """Return what templates show a page's rows with; ``rows`` is None where finding them takes longer than a page may wait."""
        assert read.selection is not None
        asked = (self.listed.model, read.selection, room.ledger.timezone, self._shown_sort(), self.cursor, ROWS)
        fetch = partial(browsing.fetch_page, room.connection, *asked)
        found = read_by_page(room, fetch) if by_page else fetch()
        if found is None:
            return {"rows": None}
        context: dict[str, Any] = {"rows": found.rows, "next": found.next, "previous": found.previous}
        if self.listed is OPERATOR_EVENTS:
            context["undone"] = undoing_positions(room.connection, [row.position for row in found.rows])
        return context

    def _shown_sort(self) -> str:
        return self.sort or browsing.default_sort(self.listed.model)

    def _entries_columns(self) -> str:
        """Return those of the chosen columns that CDRs with postings have; empty for all, unless some were chosen."""
        if not self.listed.written(self.columns):
            return ""
        known = {column.name for column in chosen_columns("entries", ())}
        return ",".join(name for name, _ in self.columns if name in known)

    def _entries_sort(self) -> str:
        """Return the order of CDRs with postings: that of the page, or, as postings have no time, that of the log."""
        sort = self._shown_sort()
        sign, name = ("-", sort[1:]) if sort.startswith("-") else ("", sort)
        return sign + (name if name in read_model("entries").file_sorts else "position")


class SelectionSums(NamedTuple):
    """The sums of a selection; ``posted`` sums the postings that are not CDRs, if there are any, and ``total`` both.

    ``sums`` is None where too many rows would have to be read one by one, unless that is asked for.
    """

    sums: dict[str, int] | None
    posted: dict[str, int] | None = None
    total: dict[str, int] | None = None
    postings: Any = ()


POSTINGS_SHOWN = 50


def sum_selection(room: ReadSession, model: str, read: RequestFilters, rows_max: int | None = None) -> SelectionSums:
    """Sum a selection, with the postings that are not CDRs if the filters say which postings belong to it."""
    assert read.selection is not None
    timezone = room.ledger.timezone
    sums = facets.sum_columns_within(room.connection, model, read.selection, timezone, rows_max)
    if model != "cdrs" or sums is None:
        return SelectionSums(sums)
    try:
        posted = facets.sum_columns(room.connection, "postings", read.selection, timezone)
        postings = browsing.fetch_page(
            room.connection, "postings", read.selection, timezone, "position", limit=POSTINGS_SHOWN
        ).rows
    except SelectionError:  # A posting has no number and no flag, and cannot be cut within a day.
        return SelectionSums(sums)
    if not posted["rows"]:
        return SelectionSums(sums)
    same = ("cost", "sip_credits", "billed_seconds", "price", "margin")
    return SelectionSums(sums, posted, {name: sums[name] + posted[name] for name in same}, postings)


def facet_selection(room: ReadSession, model: str, read: RequestFilters) -> facets.FacetCounts:
    """Count the most frequent values among the selected rows, or among many of them."""
    assert read.selection is not None
    return facets.count_facets_among(
        room.connection, model, read.selection, room.ledger.timezone, rows_max=FACET_ROWS_MAX
    )
