"""The model's correlation: the nine rules of section 6, each a sentence of Python.

They look at every call of the line, so that no index stands between them and the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.model.call import ANSWERED, FAILED_OPENINGS, OPENINGS, OUTCOMES, Call, Line, Notice

MICROSECONDS = 1_000_000


def line_of(notice: Notice, correlation: str, line_rule: int) -> Line:
    """The line: the tag, and the bare number unless tags are unique per call."""
    if correlation == "tag":
        return notice.get("tag"), None
    src = notice.get("src")
    bare = "".join(character for character in src if character not in " -.()")
    if line_rule == 1 or is_number(bare):
        return notice.get("tag"), bare.removeprefix("+")
    return notice.get("tag"), without_password(src)


def is_number(bare: str) -> bool:
    """Section 9.2: nothing but ASCII digits, and at most one plus, which stands first."""
    digits = bare[1:] if bare[:1] == "+" else bare
    return all(character in "0123456789" for character in digits)


def without_password(src: str) -> str:
    """Section 9.2: `***` for the password of `sip:user:password@host`."""
    scheme, colon, rest = src.partition(":")
    user, second, secret = rest.partition(":")
    if scheme.lower() in ("sip", "sips") and second and "@" not in user and "@" in secret:
        return f"{scheme}{colon}{user}:***@{secret.rpartition('@')[2]}"
    return src


@dataclass(frozen=True)
class Rules:
    """The rules for one notification, on the calls that its line has so far."""

    notice: Notice
    calls: Sequence[Call]
    grace_seconds: int
    max_age_seconds: int

    def place(self) -> tuple[Call | None, int]:
        """The call that the notification joins (None: it opens one), and the rule that says so."""
        if self.notice.is_cdr:
            return self.place_cdr()
        if self.notice.is_callstatus(OPENINGS):
            return self.place_opening()
        return self.place_other()

    # The words of section 6

    def is_near(self, call: Call) -> bool:
        """At most `grace` away."""
        return call.distance(self.notice.received_at) <= self.grace_seconds * MICROSECONDS

    def is_far(self, call: Call) -> bool:
        """More than `max_age` away."""
        return call.distance(self.notice.received_at) > self.max_age_seconds * MICROSECONDS

    @property
    def near_calls(self) -> list[Call]:
        """The near calls of the line, lowest ordinal first."""
        return sorted((c for c in self.calls if self.is_near(c)), key=lambda c: c.ordinal)

    @property
    def c(self) -> Call | None:
        """C: the call that began last, no later than `grace` after the notification."""
        latest = self.notice.received_at + self.grace_seconds * MICROSECONDS
        begun = [call for call in self.calls if call.began <= latest]
        return max(begun, key=lambda call: (call.began, call.ordinal), default=None)

    def awaits(self, call: Call) -> bool:
        """Whether the call awaits this CDR (rule 1)."""
        status = self.notice.status
        if call.cdr is not None:
            return False
        if call.failed_at_source:
            return call.opening == status
        agrees = status not in (*OUTCOMES, *FAILED_OPENINGS) or status in call.outcomes
        return call.opening == ANSWERED and bool(call.outcomes) and agrees

    # The rules, by number

    def place_cdr(self) -> tuple[Call | None, int]:
        """Rules 1 to 4: a `cdr`."""
        for call in self.near_calls:
            if self.awaits(call):
                return call, 1
        for call in self.near_calls:
            if call.cdr and call.cdr.amounts() == self.notice.amounts():
                return call, 2
        if self.c and self.completes(self.c):
            return self.c, 3
        return None, 4

    def completes(self, c: Call) -> bool:
        """Whether this CDR may be C's own (rule 3)."""
        if c.cdr is not None or self.is_far(c):
            return False
        fits_failed = self.is_near(c) and self.notice.status not in OUTCOMES
        return fits_failed or not c.failed_at_source

    def place_opening(self) -> tuple[Call | None, int]:
        """Rules 5 to 7: an opening notice."""
        if self.c and self.is_near(self.c):
            if not self.c.opening and not self.is_too_late_to_fail(self.c):
                return self.c, 5
            if self.answers_again(self.c):
                return self.c, 6
        return None, 7

    def is_too_late_to_fail(self, c: Call) -> bool:
        """A failed opening, and C has had an outcome or a CDR that tells one (rule 5)."""
        has_outcome = bool(c.outcomes) or c.cdr_status in OUTCOMES
        return self.notice.status in FAILED_OPENINGS and has_outcome

    def answers_again(self, c: Call) -> bool:
        """Both are SRCANSWERED, and C has neither outcome nor CDR (rule 6)."""
        both = self.notice.status == c.opening == ANSWERED
        return both and not c.outcomes and c.cdr is None

    def place_other(self) -> tuple[Call | None, int]:
        """Rules 8 and 9: an outcome, an input or an unrecognised status."""
        if self.c and self.follows(self.c):
            return self.c, 8
        return None, 9

    def follows(self, c: Call) -> bool:
        """Whether the notice may belong to C (rule 8)."""
        if c.failed_at_source and self.notice.status in OUTCOMES:
            return False
        waiting = not c.failed_at_source and c.cdr is None and not self.is_far(c)
        return self.is_near(c) or waiting
