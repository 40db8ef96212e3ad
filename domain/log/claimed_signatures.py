"""What events have claimed: a ledger from before the table of signatures is taught it once (SPEC 9.3, 9.6)."""

from domain.events.codec import decode_notice
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.notice_events import notice_claim
from domain.events.operator_events import OPERATOR_EVENTS
from domain.log.contract import Log, LogTransaction

EVENTS_AT_ONCE = 2000


def teach_signatures(log: Log) -> int:
    """Claim the signature, or the row's id, of each event of a log, the lowest position first; return the last position that was read.

    In transactions of a page each, so that writers wait for none of them long. It may be done again.
    """
    position = 0
    while events := log.page(position, EVENTS_AT_ONCE, POSITION_MAX):
        with log.transaction() as transaction:
            claim_signatures(transaction, events)
        position = events[-1].position
    return position


def claim_signatures(transaction: LogTransaction, events: list[LogRow]) -> None:
    """Claim the signatures of events, and the ids of rows, in their order."""
    for event in events:
        if event.topic in OPERATOR_EVENTS:
            continue
        notice = decode_notice(event.state)
        if claim := notice_claim(notice.source, notice.formula, notice.voucher, dict(notice.params)):
            transaction.claim_signature(claim, event.position)
