"""The statements and notes that have a number, as JSON has them, without what they say (SPEC 9.13)."""

from typing import Any

from domain import times
from domain.amounts import ONE, plain
from domain.events.operator_events import StatementNumbered
from domain.events.streams import NUMBERS
from domain.ledger import Ledger
from domain.operators.statement_numbering import KnownNumbers, read_numbers


def documents_of(ledger: Ledger, account: str, period: str, until: int) -> list[dict[str, Any]]:
    """Return what an account got for a month ``YYYY-MM`` up to a position of the log: the notes first, then the statement."""
    known = read_numbers(ledger.history(NUMBERS, until))
    return [number_document(each, known) for each in known.events if (each.account, each.period) == (account, period)]


def number_document(event: StatementNumbered, known: KnownNumbers) -> dict[str, Any]:
    """Return a numbered document as JSON has it; amounts are US cents."""
    return {
        "number": event.number,
        "kind": event.kind,
        "account": event.account,
        "series": event.series,
        "issued_at": times.iso(event.recorded_at),
        "due": plain(event.due * ONE),
        "exact": plain(event.exact),
        "digest": event.digest,
        "corrects": event.corrects or None,
        "original_period": event.original_period or None,
        "reissues": [
            {"reissued_at": times.iso(each.recorded_at), "digest": each.digest}
            for each in known.reissues_of(event.number)
        ],
    }
