"""What a search may mean: ids, positions, accounts, tags, numbers, people and reasons, each with the page that shows it.

Numbers by their last digits and words in reasons are found by users with the role ``pii`` alone: others could find out what is
masked for them, digit by digit.
"""

import re
from typing import NamedTuple

from api.application.read_model_pool import ReadSession
from api.web.pages.addresses import address
from api.web.pages.formatting import account_path
from domain.events.log_row import LogRow
from domain.notices.line_number import line_number
from domain.text import is_whole_number
from projections.queries import call_lookup, search_matches
from projections.queries.accounts import has_account
from projections.queries.text_patterns import write_exactly

CALL, POSITION, ACCOUNT, TAG = "call", "position", "account", "tag"
NUMBER, OPERATOR, REASON = "number", "operator", "reason"
KINDS = (CALL, POSITION, ACCOUNT, TAG, NUMBER, OPERATOR, REASON)
QUERY_MAX = 300
COUNTED_MAX = 1000
_BEGINNING_OF_AN_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
CALLS_MAX = TAGS_MAX = NUMBERS_MAX = OPERATORS_MAX = 10
ENDING_MIN, ENDING_MAX = 4, 14
REASON_MIN = 3


class SearchHit(NamedTuple):
    """A possible meaning of a search: its kind, a description, and its path."""

    kind: str
    what: str
    about: str
    to: str


def find_hits(room: ReadSession, query: str, *, sees_pii: bool) -> list[SearchHit]:
    """Return what a search may mean, all kinds together; nothing for an empty one."""
    query = query.strip()[:QUERY_MAX]
    if not query:
        return []
    found = [*_calls(room, query), *_event(room, query), *_accounts(room, query), *_tags(room, query)]
    found += [*_numbers(room, query), *_operators(room, query)]
    return [*found, *_endings(room, query), *_reasons(room, query)] if sees_pii else found


def _calls(room: ReadSession, query: str) -> list[SearchHit]:
    """Find a call by its id, or by the beginning of its id, as lists show it."""
    beginning = query.lower()
    if not _BEGINNING_OF_AN_ID.fullmatch(beginning):
        return []
    rows = call_lookup.calls_beginning_with(room.connection, beginning, CALLS_MAX)
    moved = search_matches.moved_calls_beginning_with(room.connection, beginning, CALLS_MAX)
    return [SearchHit(CALL, call_id, f"of tag {tag}", f"/calls/{call_id}") for call_id, tag in rows] + [
        SearchHit(CALL, each.call_id, f"now part of {each.part_of}", f"/calls/{each.call_id}") for each in moved
    ]


def _event(room: ReadSession, query: str) -> list[SearchHit]:
    """Find an event by its position; an event of a call opens the call as of then."""
    # Pages show positions with spaces between thousands.
    digits = "".join(query.split())
    if not is_whole_number(digits):
        return []
    position = int(digits)
    if not 0 < position <= room.ledger.head():
        return []
    row: LogRow = room.ledger.store.page(position - 1, 1, position)[0]
    stream = row.stream_id
    is_a_calls = call_lookup.is_call(room.connection, stream)
    what = row.topic.rpartition(":")[2].replace("-", " ")
    to = address(f"/calls/{stream}", at=position) if is_a_calls else address("/events/" + str(position))
    return [SearchHit(POSITION, digits, what, to)]


def _accounts(room: ReadSession, query: str) -> list[SearchHit]:
    found = has_account(room.connection, query)
    return [SearchHit(ACCOUNT, query, "what it was billed", account_path(query))] if found else []


def _tags(room: ReadSession, query: str) -> list[SearchHit]:
    """Find the tags that begin with the query, also one with an asterisk, as lists take it; the tag itself comes first."""
    found = []
    beginning = query.removesuffix("*") or query
    for tag in search_matches.tags_beginning_with(room.connection, beginning, TAGS_MAX):
        calls = call_lookup.count_calls_with_tag(room.connection, tag, COUNTED_MAX)
        found.append(SearchHit(TAG, tag, _many(calls), address("/calls", tag=write_exactly(tag))))
    return found


def _numbers(room: ReadSession, query: str) -> list[SearchHit]:
    number = line_number(query, room.ledger.line_rule)
    if not number or not number.isdigit():
        return []
    calls = call_lookup.count_calls_with_number(room.connection, number, COUNTED_MAX)
    return [SearchHit(NUMBER, number, _many(calls), address("/calls", number=number))] if calls else []


def _endings(room: ReadSession, query: str) -> list[SearchHit]:
    """Find numbers by their last digits, however they are written, unless the query is a whole number."""
    digits = line_number(query.removeprefix("*"), room.ledger.line_rule)
    if not (digits.isascii() and digits.isdigit() and ENDING_MIN <= len(digits) <= ENDING_MAX):
        return []
    found = search_matches.numbers_ending_with(room.connection, digits, NUMBERS_MAX)
    return [
        SearchHit(NUMBER, number, f"ends with {digits}", address("/calls", number=number))
        for number in found
        if number != digits
    ]


def _operators(room: ReadSession, query: str) -> list[SearchHit]:
    """Find the operators whose names begin with the query; the operator of that name comes first."""
    found = []
    for name in search_matches.operators_beginning_with(room.connection, query, OPERATORS_MAX):
        done = search_matches.count_operator_events(room.connection, who=name)
        found.append(SearchHit(OPERATOR, name, f"did {_counted(done, 'thing')}", address("/events", who=name)))
    return found


def _reasons(room: ReadSession, query: str) -> list[SearchHit]:
    if len(query) < REASON_MIN:
        return []
    done = search_matches.count_operator_events(room.connection, why=query)
    return [SearchHit(REASON, query, f"in {_counted(done, 'reason')}", address("/events", why=query))] if done else []


def _many(calls: int) -> str:
    return f"{calls} or more calls" if calls == COUNTED_MAX else _counted(calls, "call")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
