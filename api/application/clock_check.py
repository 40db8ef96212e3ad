"""Whether the system clock has jumped: ``recorded_at`` never falls, so an earlier future holds it until that has come (SPEC 4)."""

from domain import times
from domain.events.codec import decode_notice, decode_recorded_at
from domain.events.operator_events import OPERATOR_EVENTS
from domain.ledger import CALLBACK, Ledger

# The clocks of two hosts may differ by less; that is nobody's fault.
HELD_SECONDS_MIN = 60
BACKWARDS_DAYS_MIN = 1


def find_clock_problem(ledger: Ledger, now: int) -> str:
    """Return as a sentence what the last event tells of the clock, at a time by it (microseconds, UTC); empty if all is well.

    ``recorded_at`` is held if the last event was recorded in the future. A callback that was received over a day before
    it is recorded came after the clock was set back, or waited in the spool.
    """
    head = ledger.head()
    if not head:
        return ""
    (row,) = ledger.store.page(head - 1, 1, head)
    recorded_at = decode_recorded_at(row.state)
    if recorded_at > now + HELD_SECONDS_MIN * times.SECOND:
        return (
            f"the event at position {head} was recorded at {times.iso(recorded_at)}, and the clock says {times.iso(now)}: all"
            " events until then are recorded at that time; correct the clock of this host, or of the one that was ahead"
        )
    if row.topic in OPERATOR_EVENTS:
        return ""
    notice = decode_notice(row.state)
    if notice.source == CALLBACK and recorded_at - notice.received_at > BACKWARDS_DAYS_MIN * times.DAY:
        return (
            f"the callback at position {head} was received at {times.iso(notice.received_at)}, and recorded at"
            f" {times.iso(recorded_at)}, over a day later: it waited in the spool, or the clock of this host had jumped ahead, and was set back"
        )
    return ""
