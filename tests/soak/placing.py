"""The judge of placing: each notice stands in the call, and by the rule, that the slow model finds, corrections included.

The rules of section 6 are asked about each call of the line as it was when the notice came: with the notices that operators
had moved to it by then, and without those that they had moved away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.support.model.call import Call, Event, Line
from tests.support.model.corrections import Fact, Moved, Recorded, Undone
from tests.support.model.correlation import Rules

GRACE_SECONDS, MAX_AGE_SECONDS = 300, 86_400


def check_places(facts: Sequence[Fact]) -> None:
    """Walk a log's facts in their order, and place each notice again."""
    for number, fact in enumerate(facts):
        if isinstance(fact, Recorded):
            check_place(fact, facts[:number])
        elif isinstance(fact, Moved):
            check_target(fact, facts[:number])


def check_place(notice: Recorded, before: Sequence[Fact]) -> None:
    """The notice is where the model places it."""
    calls = of_line(notice.line, calls_of(before))
    there = [call for call in calls if call.events]
    joined, rule = Rules(notice.event.notice, there, GRACE_SECONDS, MAX_AGE_SECONDS).place()
    expected = joined or Call(notice.line, len(calls) + 1)
    assert (notice.call, notice.event.rule) == (expected.call_id, rule), (
        f"position {notice.position} is in call {notice.call} by rule {notice.event.rule};"
        f" expected call {expected.ordinal} of its line, {expected.call_id}, by rule {rule}"
    )


def check_target(move: Moved, before: Sequence[Fact]) -> None:
    """Notices go to a call that there is, or to the next one of the line that they leave."""
    calls = calls_of(before)
    if move.target not in calls:
        line = calls[move.source].line
        new = Call(line, len(of_line(line, calls)) + 1)
        assert move.target == new.call_id, (
            f"position {move.position} makes call {move.target}; expected call {new.ordinal} of its line, {new.call_id}"
        )


def of_line(line: Line, calls: Mapping[str, Call]) -> list[Call]:
    """Return all calls that a line has had, by ordinal."""
    return [call for call in calls.values() if call.line == line]


def calls_of(facts: Sequence[Fact]) -> dict[str, Call]:
    """Return by id all calls that there have been, in the order in which they began, with the notices that they have by now."""
    undone = {fact.of for fact in facts if isinstance(fact, Undone)}
    calls: dict[str, Call] = {}
    where: dict[int, str] = {}
    events: dict[int, Event] = {}
    for fact in facts:
        if isinstance(fact, Recorded):
            calls.setdefault(fact.call, Call(fact.line, len(of_line(fact.line, calls)) + 1))
            where[fact.position] = fact.call
            events[fact.position] = replace(fact.event, rule=None)  # The own CDR is the first by position.
        elif isinstance(fact, Moved):
            line = calls[fact.source].line
            calls.setdefault(fact.target, Call(line, len(of_line(line, calls)) + 1))
            if fact.position not in undone:
                where |= {position: fact.target for position in fact.notices if where[position] == fact.source}
    for position, event in events.items():
        calls[where[position]].events.append(event)
    return calls
