"""The pages that list a read model's rows: filters, order, pages, and the sums of the whole selection.

Sums and facets take longer than rows, so they are a fragment that is fetched once the rows are shown; without
JavaScript a link loads the page with all of it.
"""

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.rendering import render
from api.web.pages.request_filters import RequestFilters, read_filters, with_error_pages
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from domain.events.operator_events import OPERATOR_EVENTS as TOPICS
from projections.queries import facets
from projections.queries import pagination as browsing
from projections.queries.call_lookup import undoing_positions
from projections.queries.log_points import LogPoint
from projections.queries.selection import read_model
from projections.queries.time_points import SelectionError

ROWS = 100
WHOLE = "whole"


class ListedModel(NamedTuple):
    """A list: its read model, title, filters, and columns with their headings."""

    model: str
    title: str
    about: str
    has: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    name: str = ""

    @property
    def path(self) -> str:
        """Its path: by default that of the read model's name."""
        return f"/{self.name or self.model}"


CALLS = ListedModel(
    "calls",
    "Calls",
    "Every call, ended or in progress.",
    ("from", "tag", "number", "state", "disposition", "flag", "waiting", "asof"),
    (
        ("opened_at", "Opened"),
        ("call_id", "Call"),
        ("tag", "Tag"),
        ("src", "Number"),
        ("disposition", "Disposition"),
        ("status", "Status"),
        ("answered_at", "Answered"),
        ("ended_at", "Ended"),
        ("last_at", "Last event"),
        ("events", "Events"),
        ("digits", "Digits"),
        ("has_cdr", "CDR"),
        ("flags", "Flags"),
    ),
)
CDRS = ListedModel(
    "cdrs",
    "CDRs",
    "The ledger: one row for each call that was charged.",
    ("from", "period", "tag", "account", "number", "disposition", "flag", "asof"),
    (
        ("cdr_at", "CDR at"),
        ("call_id", "Call"),
        ("tag", "Tag"),
        ("src", "Number"),
        ("disposition", "Disposition"),
        ("src_duration", "Source"),
        ("dest_duration", "Destination"),
        ("cost", "Cost"),
        ("sip_credits", "SIP credits"),
        ("account", "Account"),
        ("billed_seconds", "Billed"),
        ("price", "Price"),
        ("margin", "Margin"),
        ("flags", "Flags"),
    ),
)
VOICEMAILS = ListedModel(
    "voicemails",
    "Voicemails",
    "Voicemail messages of callers.",
    ("from", "tag", "number", "asof"),
    (
        ("received_at", "Received"),
        ("email", "Mailbox"),
        ("voicemail", "Message"),
        ("tag", "Tag"),
        ("src", "Number"),
        ("position", "Position"),
    ),
)
CHANNELS = ListedModel(
    "channels",
    "Channels",
    "Notices that a channel was deleted.",
    ("from", "tag", "number", "asof"),
    (("received_at", "Received"), ("src", "Number"), ("tag", "Tag"), ("position", "Position")),
)
OPERATOR_EVENTS = ListedModel(
    "operator-events",
    "What operators did",
    "The books' own audit trail: who did what, when and why, on what, and how much money it moved.",
    ("from", "kind", "who", "account", "why", "asof"),
    (
        ("position", "Position"),
        ("recorded_at", "Recorded"),
        ("kind", "What"),
        ("about", "About"),
        ("done_by", "By"),
        ("reason", "Reason"),
        ("account", "Account"),
        ("call_id", "Call"),
        ("moved", "Money moved"),
        ("reverses", "Undone"),
    ),
    "events",
)
# As the column `kind` of operator events has them.
KINDS = sorted(topic.partition(":")[2] for topic in TOPICS)
LISTS = {each.model: each for each in (CALLS, CDRS, VOICEMAILS, CHANNELS, OPERATOR_EVENTS)}


def routes() -> list[GuardedRoute]:
    """Return the lists, and the fragments of their sums and facets."""
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
        sort = request.query_params.get("sort") or browsing.default_sort(listed.model)
        context: dict[str, Any] = {
            "listed": listed,
            "filters": read.filters,
            "sort": sort,
            "problem": read.problem,
            "span": read.span,
        }
        context |= {"sorts": read_model(listed.model).sorts, "rows": None, "summed": None, "whole": False}
        context |= {"undone": {}, "kinds": KINDS, "as_of": ""}
        if read.selection is None:
            return render(request, "list.html", status=400, **context)
        context["as_of"] = describe_as_of(point, request.app.state.ledger.timezone)
        with read_session_as_of(request, point) as room:
            cursor = request.query_params.get("cursor", "")
            found = browsing.fetch_page(
                room.connection, listed.model, read.selection, room.ledger.timezone, sort, cursor, ROWS
            )
            if request.query_params.get(WHOLE):
                context |= {"whole": True, "summed": sum_selection(room, listed.model, read)}
                context["facets"] = facet_selection(room, listed.model, read)
            if listed is OPERATOR_EVENTS:
                context["undone"] = undoing_positions(room.connection, [row.position for row in found.rows])
        context |= {"rows": found.rows, "next": found.next, "previous": found.previous, "is_first": not cursor}
        return render(request, "list.html", **context)


def read_with_as_of(request: Request, model: str) -> tuple[RequestFilters, LogPoint | None]:
    """Read the filters on a read model, and as of when it is read; links of the page keep both."""
    read, text = read_filters(request, model), request.query_params.get(AS_OF, "").strip()
    kept = read.filters | ({AS_OF: text} if text else {})
    return read._replace(filters=kept), read_as_of(request.app.state.ledger, text)


def fragment(request: Request) -> Response:
    """Return the sums or the facets of a selection as a fragment."""
    return with_error_pages(_fragment)(request)


def _fragment(request: Request) -> Response:
    model, part = request.path_params["model"], request.path_params["part"]
    if model not in LISTS or part not in ("sums", "facets"):
        msg = f"there is no part {part!r} of {model!r}"
        raise SelectionError(msg)
    read, point = read_with_as_of(request, model)
    if read.selection is None:
        raise SelectionError(read.problem)
    with read_session_as_of(request, point) as room:
        if part == "sums":
            return render(
                request, "sums.html", listed=LISTS[model], summed=sum_selection(room, model, read), **_of(read)
            )
        return render(
            request, "facets.html", listed=LISTS[model], facets=facet_selection(room, model, read), **_of(read)
        )


def _of(read: RequestFilters) -> dict[str, Any]:
    return {"filters": read.filters}


class SelectionSums(NamedTuple):
    """The sums of a selection; ``posted`` sums the postings that are not CDRs, if there are any, and ``total`` both."""

    sums: dict[str, int]
    posted: dict[str, int] | None = None
    total: dict[str, int] | None = None
    postings: Any = ()


POSTINGS_SHOWN = 50


def sum_selection(room: ReadSession, model: str, read: RequestFilters) -> SelectionSums:
    """Sum a selection, with the postings that are not CDRs if the filters say which postings belong to it."""
    assert read.selection is not None
    timezone = room.ledger.timezone
    sums = facets.sum_columns(room.connection, model, read.selection, timezone)
    if model != "cdrs":
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


def facet_selection(room: ReadSession, model: str, read: RequestFilters) -> dict[str, list[facets.FacetValue]]:
    """Count the most frequent values among the selected rows."""
    assert read.selection is not None
    return facets.count_facets(room.connection, model, read.selection, room.ledger.timezone)
