"""Correlation: the nine rules of SPEC 6 that find a notice's call, as pure functions over the calls of its line.

TringMe sends no call id, so a line's calls are told apart by what they still lack and by when their notices came.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from domain.notices.call_notice import CallNotice, Charges
from domain.notices.statuses import ANSWERED, FAILED_OPENINGS, OPENINGS, OUTCOMES, ranked
from domain.times import SECOND

BY_TAG_AND_SRC = "tag-src"
BY_TAG = "tag"
CORRELATIONS = (BY_TAG_AND_SRC, BY_TAG)


class CorrelationWindow(msgspec.Struct, frozen=True):
    """How far apart the notices of one call may be (microseconds): within ``grace`` near, beyond ``max_age`` far."""

    grace: int = 300 * SECOND
    max_age: int = 86_400 * SECOND


class CallHead(msgspec.Struct, gc=False):
    """The part of a call that correlation needs: its span, opening, outcomes, CDR, and its number of events."""

    ordinal: int
    first_at: int
    last_at: int
    opening: str = ""
    outcomes: tuple[str, ...] = ()
    cdr: Charges | None = None
    cdr_status: str = ""
    events: int = 0

    def apply(self, notice: CallNotice) -> None:
        """Apply one more notice of the call. The first opening and the first CDR are the call's own."""
        if notice.charges is not None:
            self.apply_cdr(notice.received_at, notice.status, notice.charges)
        else:
            self.apply_status(notice.received_at, notice.status)

    def apply_cdr(self, at: int, status: str, charges: Charges) -> None:
        """Apply a CDR, received at a moment."""
        self._note(at)
        if self.cdr is None:
            self.cdr, self.cdr_status = charges, status

    def apply_status(self, at: int, status: str) -> None:
        """Apply a call status, received at a moment."""
        self._note(at)
        if status in OUTCOMES:
            if not self.outcomes:
                self.outcomes = (status,)
            elif status not in self.outcomes:
                self.outcomes = ranked({*self.outcomes, status})
        elif not self.opening and status in OPENINGS:
            self.opening = status

    def _note(self, at: int) -> None:
        # Compared by hand: a rebuild does this for every notice, and calling min() and max() takes several times as long.
        if at < self.first_at:  # noqa: PLR1730
            self.first_at = at
        if at > self.last_at:  # noqa: PLR1730
            self.last_at = at
        self.events += 1

    @property
    def failed_at_source(self) -> bool:
        """Whether the opening notice says that the source leg failed or did not answer."""
        return self.opening in FAILED_OPENINGS

    def distance(self, at: int) -> int:
        """Return 0 inside the call's span, else the microseconds to its nearer end."""
        return max(self.first_at - at, at - self.last_at, 0)

    def lacks_just_this_cdr(self, notice: CallNotice) -> bool:
        """Whether this CDR is all that the call still lacks (rule 1)."""
        if self.cdr is not None:
            return False
        if self.failed_at_source:
            return notice.status == self.opening
        if self.opening != ANSWERED or not self.outcomes:
            return False
        says_how_it_ended = notice.status in OUTCOMES or notice.status in FAILED_OPENINGS
        return not says_how_it_ended or notice.status in self.outcomes


class CallIndex(Protocol):
    """The calls of one line, as correlation searches them."""

    def latest_begun(self, before: int) -> CallHead | None:
        """Return the call that began last at or before a moment; of two that began together the higher ordinal."""

    def overlapping(self, start: int, end: int) -> Iterable[CallHead]:
        """Return the calls whose span touches a time range, lowest ordinal first."""


def correlate(notice: CallNotice, calls: CallIndex, window: CorrelationWindow) -> tuple[int, CallHead | None]:
    """Return the number of the first rule that fits, and the call that the notice joins, or None for a new call."""
    latest = calls.latest_begun(notice.received_at + window.grace)
    if notice.is_cdr:
        return _place_cdr(notice, latest, calls, window)
    if notice.status in OPENINGS:
        return _place_opening(notice, latest, window)
    if latest and _takes_progress(latest, notice, window):
        return 8, latest
    return 9, None


def _place_cdr(
    notice: CallNotice, latest: CallHead | None, calls: CallIndex, window: CorrelationWindow
) -> tuple[int, CallHead | None]:
    near = list(calls.overlapping(notice.received_at - window.grace, notice.received_at + window.grace))
    for call in near:
        if call.lacks_just_this_cdr(notice):
            return 1, call
    for call in near:
        if call.cdr is not None and call.cdr == notice.charges:
            return 2, call
    if latest and latest.cdr is None and _takes_any_cdr(latest, notice, window):
        return 3, latest
    return 4, None


def _takes_any_cdr(call: CallHead, notice: CallNotice, window: CorrelationWindow) -> bool:
    distance = call.distance(notice.received_at)
    if call.failed_at_source:
        return distance <= window.grace and notice.status not in OUTCOMES
    return distance <= window.max_age


def _place_opening(
    notice: CallNotice, latest: CallHead | None, window: CorrelationWindow
) -> tuple[int, CallHead | None]:
    if latest and latest.distance(notice.received_at) <= window.grace:
        ended_well = bool(latest.outcomes) or (latest.cdr is not None and latest.cdr_status in OUTCOMES)
        if not latest.opening and not (notice.status in FAILED_OPENINGS and ended_well):
            return 5, latest
        both_answered = latest.opening == notice.status == ANSWERED
        if both_answered and not latest.outcomes and latest.cdr is None:
            return 6, latest
    return 7, None


def _takes_progress(call: CallHead, notice: CallNotice, window: CorrelationWindow) -> bool:
    if call.failed_at_source and notice.status in OUTCOMES:
        return False
    distance = call.distance(notice.received_at)
    if distance <= window.grace:
        return True
    return not call.failed_at_source and call.cdr is None and distance <= window.max_age
