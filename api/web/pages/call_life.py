"""A call as its page shows it: every step, the chosen step, and what that step changed.

A step is an event of the call's stream, a notice or an operator event, with the call as it was after it.
"""

from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from api.application import call_history as history
from api.application import event_feed
from api.application.call_history import HistoryStep
from api.settings import Settings
from api.web.pages.signature_check import SignatureCheck, check_signature
from domain.events.log_row import POSITION_MAX
from domain.ledger import Ledger
from domain.notices.notification import DURATIONS
from domain.notices.statuses import INPUTS
from projections.queries.log_points import LogPoint, resolve_point

STEPS_SHOWN = 200
# So many notices of keyed digits after each other are collapsed into one.
RUN_MIN = 4
LABELS = {
    "state": "State",
    "disposition": "Disposition",
    "status": "Deciding status",
    "statuses": "Statuses seen",
    "opened_at": "Opened",
    "answered_at": "Answered",
    "ended_at": "Ended",
    "last_at": "Last heard of",
    "events": "Events",
    "digits": "Digits",
    "has_cdr": "Has its CDR",
    "account": "Account",
    "tariff": "Tariff",
    "rule": "Tariff's rule",
    "billed_seconds": "Billed seconds",
    "price": "Price",
    "flags": "Flags",
}
# Of operator events: fields that are shown elsewhere, and fields that head the page.
UNSHOWN = ("v", "recorded_at", "line", "ordinal")
MONEY = ("account", "tariff", "rule", "billed_seconds", "price")


class CallField(NamedTuple):
    """A field of a call: its value after a step, and before that step."""

    name: str
    label: str
    value: Any
    before: Any

    @property
    def is_changed(self) -> bool:
        """Whether the step changed it."""
        return bool(self.value != self.before)


class TimelineEvent(NamedTuple):
    """A step with its number in the call (from 1 on) and its texts; times are microseconds, UTC."""

    number: int
    step: HistoryStep
    at: int
    delta: int | None
    said: str
    parameters: list[tuple[str, str]]
    why: str
    checked: SignatureCheck | None

    @property
    def keyed(self) -> str:
        """The digits that the caller keyed; empty if it is no notice of them."""
        return dict(self.parameters).get("p", "") if self.step.notice and self.step.status in INPUTS else ""

    @property
    def position(self) -> int:
        """Its position in the log."""
        return self.step.position


class CallLife(NamedTuple):
    """A call for its page; ``chosen`` is the number of the chosen step, ``first`` that of the first listed one."""

    call_id: str
    events: list[TimelineEvent]
    chosen: int
    cdr: dict[str, Any] | None

    @property
    def event(self) -> TimelineEvent:
        """The chosen step."""
        return self.events[self.chosen - 1]

    @property
    def is_last(self) -> bool:
        """Whether the chosen step is the last."""
        return self.chosen == len(self.events)

    @property
    def listed(self) -> list[TimelineEvent]:
        """The listed steps; a call with very many shows those around the chosen one."""
        start = max(0, min(self.chosen - STEPS_SHOWN // 2, len(self.events) - STEPS_SHOWN))
        return self.events[start : start + STEPS_SHOWN]

    @property
    def runs(self) -> list[list[TimelineEvent]]:
        """The listed steps, in which a long run of keyed digits stands together; every other step stands alone."""
        found: list[list[TimelineEvent]] = []
        for keyed, group in groupby(self.listed, key=lambda event: bool(event.keyed)):
            events = list(group)
            found += [events] if keyed and len(events) >= RUN_MIN else [[event] for event in events]
        return found

    @property
    def fields(self) -> list[CallField]:
        """The fields of the call at the chosen step, and whether the step changed them."""
        now = known_fields(self.event.step)
        before = known_fields(self.events[self.chosen - 2].step) if self.chosen > 1 else {}
        return [CallField(name, label, now.get(name), before.get(name)) for name, label in LABELS.items()]

    @property
    def prices(self) -> list[tuple[TimelineEvent, dict[str, Any]]]:
        """Every price that the call has had, with the step that brought it."""
        found: list[tuple[TimelineEvent, dict[str, Any]]] = []
        for event in self.events:
            price = event.step.price
            if price and (not found or found[-1][1] != price):
                found.append((event, price))
        return found


def call_life(ledger: Ledger, settings: Settings, call_id: UUID, at: int | None) -> CallLife | None:
    """Return a call's life as of a position (None: now); None if the log has no such call."""
    found = history.call_history(ledger, call_id, POSITION_MAX)
    if found is None:
        return None
    events = _events(found.steps, settings)
    chosen = sum(event.position <= at for event in events) if at is not None else len(events)
    return CallLife(found.call_id, events, max(chosen, 1), found.cdr)


def _events(steps: list[HistoryStep], settings: Settings) -> list[TimelineEvent]:
    events: list[TimelineEvent] = []
    for number, step in enumerate(steps, start=1):
        at = step.notice.received_at if step.notice else step.operator_event.recorded_at if step.operator_event else 0
        delta = at - events[-1].at if events else None
        checked = check_signature(step.notice, settings) if step.notice else None
        parameters = step.notice.params if step.notice else _of_operator_event(step)
        why = rule_sentence(step.notice.rule) if step.notice else ""
        events.append(TimelineEvent(number, step, at, delta, event_label(step), parameters, why, checked))
    return events


def _of_operator_event(step: HistoryStep) -> list[tuple[str, str]]:
    values: dict[str, Any] = msgspec.to_builtins(step.operator_event)
    return [(name, event_feed.field_text(name, value)) for name, value in values.items() if name not in UNSHOWN]


def event_label(step: HistoryStep) -> str:
    """Return one word for a step: a status, CDR, or the operator event's name."""
    if step.type == "cdr":
        return f"CDR {step.status}".strip()
    return step.status if step.notice and step.status else step.type


def known_fields(step: HistoryStep) -> dict[str, Any]:
    """Return the fields of the call after a step, its price included."""
    money = {name: value for name, value in (step.price or {}).items() if name in MONEY}
    return {**(step.after or {}), **money}


def numbers(event: TimelineEvent) -> dict[str, int]:
    """Return the seconds of both legs in a CDR, by parameter name."""
    values = dict(event.parameters)
    return {name: int(values[name]) for name in DURATIONS if event.step.notice and values.get(name, "").isdigit()}


def moment(ledger: Ledger, text: str) -> LogPoint | None:
    """Return the point of the log that ``at`` names: a position, or the beginning of a day, a month or a time.

    A position has the time 0. None is now. Raises SelectionError.
    """
    if not text:
        return None
    point = resolve_point(ledger, text)
    return LogPoint(point.position, 0) if text.isdigit() else point


RULES = {
    1: "This CDR was just what the call still lacked: the first call of the line, near in time, that awaited such a one.",
    2: "All six durations and charges equal those of the CDR that this call has, which is near: it repeats it, and is not billed.",
    3: "No call of the line awaited this CDR; it went to the one that began last, which had none yet and was not too long silent.",
    4: "No call of the line could take this CDR, so it opened a call of its own.",
    5: "The call of the line that began last was near and lacked its opening: this is it.",
    6: "The call was answered already, and had neither outcome nor CDR: one phone does not answer twice at once, so this repeats it.",
    7: "No call of the line could take this opening, so it opened a new one.",
    8: "The call of the line that began last was near, or was still waiting to end or for its CDR: this is news of it.",
    9: "No call of the line could take this notice, so it opened one, which lacks its opening.",
}


def rule_sentence(rule: int) -> str:
    """Return the sentence for a rule of correlation."""
    return RULES.get(rule, "")
