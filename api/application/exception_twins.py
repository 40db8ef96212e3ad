"""The twin of an exception: the event that it repeats, contradicts, or shares its nonce with.

A missing opening, a rounded charge, and what is not recognised have none. Suspects and their twins are found by a search of
their own (SPEC 9.7).
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from domain.calls.call import CONTRADICTORY_OUTCOME, NONCE_REUSED, REPEATED_CDR, REPEATED_STATUS
from domain.calls.call_stream import CallStream, PositionedNotice
from domain.events.codec import decode_notice
from domain.ledger import Ledger
from domain.notices.call_notice import CallNotice, read_call_notice
from domain.notices.statuses import ANSWERED, FAILED_OPENINGS, OPENINGS, OUTCOMES

FLAGS_WITH_TWINS = (CONTRADICTORY_OUTCOME, NONCE_REUSED, REPEATED_CDR, REPEATED_STATUS)

Twins = dict[tuple[str, int], int]


def find_twins(ledger: Ledger, exceptions: Iterable[Any], until: int) -> Twins:
    """Return the positions of the twins of exceptions, by flag and position; those without one are not in it.

    ``exceptions`` have a flag, a position and their call's id, as rows do; calls are read up to the position ``until``.
    """
    wanted = [each for each in exceptions if each.flag in FLAGS_WITH_TWINS]
    found: Twins = {}
    calls: dict[str, list[PositionedNotice]] = {}
    for each in wanted:
        if each.flag == NONCE_REUSED:
            (row,) = ledger.events_at([each.position])
            twin = decode_notice(row.state).nonce_reused
        else:
            if each.call_id not in calls:
                calls[each.call_id] = _notices(ledger, each.call_id, until)
            twin = _twin_in_call(calls[each.call_id], each.flag, each.position)
        if twin:
            found[each.flag, each.position] = twin
    return found


def _notices(ledger: Ledger, call_id: str, until: int) -> list[PositionedNotice]:
    stream = CallStream(ledger.history(UUID(call_id), until), ledger.events_at)
    return list(stream.notices_at(stream.last))


def _twin_in_call(notices: Sequence[PositionedNotice], flag: str, position: int) -> int:
    """Return the position of the notice that another one repeats or contradicts; 0 if it is no longer in the call."""
    said = {at: read_call_notice(dict(notice.params), notice.received_at) for at, notice in notices}
    if position not in said:
        return 0
    own, before = said[position], {at: each for at, each in said.items() if at < position}
    if flag == REPEATED_CDR:
        fitting = [at for at, each in before.items() if each.is_cdr]
    elif flag == REPEATED_STATUS:
        same = [at for at, each in before.items() if not each.is_cdr and each.status == own.status]
        openings = [at for at, each in before.items() if not each.is_cdr and each.status in OPENINGS]
        fitting = same or openings
    else:
        fitting = [at for at, each in before.items() if _contradict(each, own) or _contradict(own, each)]
    return fitting[0] if fitting else 0


def _contradict(one: CallNotice, other: CallNotice) -> bool:
    """Whether two outcomes differ, or the one is a failed CDR and the other an outcome or an answer (SPEC 6)."""
    if one.is_cdr and one.status in FAILED_OPENINGS:
        return other.status in OUTCOMES or other.status == ANSWERED
    return one.status in OUTCOMES and other.status in OUTCOMES and one.status != other.status
