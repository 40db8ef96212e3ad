"""Search: one box for ids, positions, accounts, tags, numbers, people and reasons; a unique hit is opened at once.

Numbers by their last digits and words in reasons are found by users with the role ``pii`` alone: others could find out what is
masked for them, digit by digit.
"""

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
from projections.queries import call_lookup, search_matches
from projections.queries.accounts import has_account
from projections.queries.text_patterns import write_exactly

QUERY_MAX = 300
COUNTED_MAX = 1000
_BEGINNING_OF_AN_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
CALLS_MAX = TAGS_MAX = NUMBERS_MAX = OPERATORS_MAX = 10
ENDING_MIN, ENDING_MAX = 4, 9
REASON_MIN = 3


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
        found += _operators(room, query)
        if request.state.identity.sees_pii:
            found += [*_endings(room, query), *_reasons(room, query)]
    if len(found) == 1 and found[0].to:
        return RedirectResponse(found[0].to, 303)
    return render(request, "search.html", query=query, found=found)


def _calls(room: ReadSession, query: str) -> list[SearchHit]:
    """Find a call by its id, or by the beginning of its id, as lists show it."""
    beginning = query.lower()
    if not _BEGINNING_OF_AN_ID.fullmatch(beginning):
        return []
    rows = call_lookup.calls_beginning_with(room.connection, beginning, CALLS_MAX)
    moved = search_matches.moved_calls_beginning_with(room.connection, beginning, CALLS_MAX)
    return [SearchHit("call", call_id, f"of tag {tag}", f"/calls/{call_id}") for call_id, tag in rows] + [
        SearchHit("call", each.call_id, f"now part of {each.part_of}", f"/calls/{each.call_id}") for each in moved
    ]


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
    """Find the tags that begin with the query; the tag itself comes first."""
    found = []
    for tag in search_matches.tags_beginning_with(room.connection, query, TAGS_MAX):
        calls = call_lookup.count_calls_with_tag(room.connection, tag, COUNTED_MAX)
        found.append(SearchHit("tag", tag, f"{_many(calls)} calls", address("/calls", tag=write_exactly(tag))))
    return found


def _numbers(room: ReadSession, query: str) -> list[SearchHit]:
    number = line_number(query, room.ledger.line_rule)
    if not number or not number.isdigit():
        return []
    calls = call_lookup.count_calls_with_number(room.connection, number, COUNTED_MAX)
    return [SearchHit("number", number, f"{_many(calls)} calls", address("/calls", number=number))] if calls else []


def _endings(room: ReadSession, query: str) -> list[SearchHit]:
    """Find numbers by their last digits, unless the query is a whole one."""
    if not (query.isascii() and query.isdigit() and ENDING_MIN <= len(query) <= ENDING_MAX):
        return []
    found = search_matches.numbers_ending_with(room.connection, query, NUMBERS_MAX)
    return [
        SearchHit("number", number, f"ends with {query}", address("/calls", number=number))
        for number in found
        if number != query
    ]


def _operators(room: ReadSession, query: str) -> list[SearchHit]:
    """Find the operators whose names begin with the query; the operator of that name comes first."""
    found = []
    for name in search_matches.operators_beginning_with(room.connection, query, OPERATORS_MAX):
        done = search_matches.count_operator_events(room.connection, who=name)
        found.append(SearchHit("operator", name, f"did {done} things", address("/events", who=name)))
    return found


def _reasons(room: ReadSession, query: str) -> list[SearchHit]:
    if len(query) < REASON_MIN:
        return []
    done = search_matches.count_operator_events(room.connection, why=query)
    return [SearchHit("reason", query, f"in {done} reasons", address("/events", why=query))] if done else []


def _many(calls: int) -> str:
    return f"{calls} or more" if calls == COUNTED_MAX else str(calls)
