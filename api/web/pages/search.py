"""Search: one box for ids, positions, accounts, tags and numbers; a unique hit is opened at once."""

import re
from typing import NamedTuple
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.formatting import account_path
from api.web.pages.rendering import address, render
from api.web.pages.request_filters import with_error_pages
from domain.events.log_row import LogRow
from domain.notices.line_number import line_number
from domain.text import is_whole_number
from projections.queries import call_lookup
from projections.queries.accounts import has_account

QUERY_MAX = 300
COUNTED_MAX = 1000
_BEGINNING_OF_AN_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
CALLS_MAX = 10


class SearchHit(NamedTuple):
    """A possible meaning of a search: its kind, a description, and its path."""

    kind: str
    what: str
    about: str
    to: str


def routes() -> list[GuardedRoute]:
    """Return the page."""
    return [GuardedRoute("/search", with_error_pages(search), Role.READ)]


def search(request: Request) -> Response:
    """Open the only hit, or list all."""
    query = request.query_params.get("q", "").strip()[:QUERY_MAX]
    if not query:
        return render(request, "search.html", query="", found=[])
    with request.app.state.read_models.session() as room:
        found = [*_calls(room, query), *_event(room, query), *_accounts(room, query), *_tags(room, query)]
        found += _numbers(room, query)
    if len(found) == 1 and found[0].to:
        return RedirectResponse(found[0].to, 303)
    return render(request, "search.html", query=query, found=found)


def _calls(room: ReadSession, query: str) -> list[SearchHit]:
    """Find a call by its id, or by the beginning of its id, as lists show it."""
    beginning = query.lower()
    if not _BEGINNING_OF_AN_ID.fullmatch(beginning):
        return []
    rows = call_lookup.calls_beginning_with(room.connection, beginning, CALLS_MAX)
    return [SearchHit("call", call_id, f"of tag {tag}", f"/calls/{call_id}") for call_id, tag in rows]


def _event(room: ReadSession, query: str) -> list[SearchHit]:
    """Find an event by its position; an event of a call opens the call as of then."""
    if not is_whole_number(query):
        return []
    position = int(query)
    if not 0 < position <= room.ledger.head():
        return []
    row: LogRow = room.ledger.store.page(position - 1, 1, position)[0]
    stream = str(UUID(row.stream))
    is_a_calls = call_lookup.is_call(room.connection, stream)
    what = row.topic.rpartition(":")[2].replace("-", " ")
    to = address(f"/calls/{stream}", at=position) if is_a_calls else address("/events/" + str(position))
    return [SearchHit("position", query, what, to)]


def _accounts(room: ReadSession, query: str) -> list[SearchHit]:
    found = has_account(room.connection, query)
    return [SearchHit("account", query, "what it was billed", account_path(query))] if found else []


def _tags(room: ReadSession, query: str) -> list[SearchHit]:
    calls = call_lookup.count_calls_with_tag(room.connection, query, COUNTED_MAX)
    return [SearchHit("tag", query, f"{_many(calls)} calls", address("/calls", tag=query))] if calls else []


def _numbers(room: ReadSession, query: str) -> list[SearchHit]:
    number = line_number(query, room.ledger.line_rule)
    if not number or not number.isdigit():
        return []
    calls = call_lookup.count_calls_with_number(room.connection, number, COUNTED_MAX)
    return [SearchHit("number", number, f"{_many(calls)} calls", address("/calls", number=number))] if calls else []


def _many(calls: int) -> str:
    return f"{calls} or more" if calls == COUNTED_MAX else str(calls)
