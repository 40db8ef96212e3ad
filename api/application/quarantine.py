"""The quarantine (SPEC 2): notices that were refused and kept, why they wait, and what comes of trying them again."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from api.application.masking import masked_parameters, masked_raw, masked_text, shown_parameters, shown_raw
from domain import amounts, times
from domain.events.log_row import POSITION_MAX
from domain.ledger import Ledger
from domain.log.contract import QuarantineEntry
from domain.notices import notification
from domain.notices.line_number import hide_password
from domain.outcomes import Duplicate, Recorded, RowConflict
from domain.text import escape_undecodable

WRONG_SIGNATURE = "wrong signature"
RECORDED, DUPLICATE, INVALID = "recorded", "duplicate", "invalid"

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_CHARGES = ("srccharge", "destcharge")


class Reprocessed(NamedTuple):
    """What came of trying a notice again: ``recorded`` or ``duplicate`` at a position, or ``invalid`` for a reason."""

    entry_id: int
    outcome: str
    position: int
    reason: str


def find_entry(ledger: Ledger, entry_id: int) -> QuarantineEntry | None:
    """Return a notice by its number, or None where the quarantine has no such number."""
    return ledger.store.quarantined_one(entry_id) if 0 < entry_id <= POSITION_MAX else None


def reprocess(ledger: Ledger, entries: Iterable[QuarantineEntry]) -> Iterator[Reprocessed]:
    """Try notices again, one after the other, and yield what came of each; the ledger needs its keyring."""
    for entry in entries:
        outcome = ledger.reprocess(entry)
        if isinstance(outcome, Recorded | Duplicate):
            name = RECORDED if isinstance(outcome, Recorded) else DUPLICATE
            yield Reprocessed(entry.id, name, outcome.position, "")
        else:
            assert not isinstance(outcome, RowConflict), "only rows of tables can be in conflict"
            yield Reprocessed(entry.id, INVALID, 0, outcome.reason)


def prune_settled(ledger: Ledger, before: int) -> int:
    """Delete settled notices that were last received before a moment (microseconds, UTC); return how many.

    What the log says of them stays. Raises StoreUnavailable.
    """
    with ledger.store.transaction() as log:
        return log.drop_settled(before)


def entry_document(entry: QuarantineEntry, *, whole: bool) -> dict[str, Any]:
    """Return a notice as JSON has it, without its bytes; ``whole`` shows phone numbers in the reason."""
    return {
        "id": entry.id,
        "received_at": times.iso(entry.received_at),
        "last_received_at": times.iso(entry.last_received_at),
        "times": entry.times,
        "authentic": entry.authentic,
        "reason": shown_reason(entry.reason, whole=whole),
        "source": entry.source,
        "position": entry.position or None,
    }


def whole_document(entry: QuarantineEntry, *, whole: bool) -> dict[str, Any]:
    """Return a notice as JSON has it, with its raw bytes and parameters; ``whole`` shows phone numbers in them."""
    raw, parameters = shown_contents(entry, whole=whole)
    return entry_document(entry, whole=whole) | {"raw": raw, "parameters": [list(pair) for pair in parameters]}


def shown_reason(reason: str, *, whole: bool) -> str:
    """Return why a notice was refused, as it may be shown."""
    text = escape_undecodable(reason)
    return hide_password(text) if whole else masked_text(text)


def shown_contents(entry: QuarantineEntry, *, whole: bool) -> tuple[str, list[tuple[str, str]]]:
    """Return a notice's bytes as text, and its parameters, as they may be shown; what is not UTF-8 is escaped."""
    parameters = notification.parse_pairs(entry.raw)
    if whole:
        parameters, raw = shown_parameters(parameters), shown_raw(entry.raw)
    else:
        parameters, raw = masked_parameters(parameters), masked_raw(entry.raw)
    shown = [(escape_undecodable(name), escape_undecodable(value)) for name, value in parameters]
    return raw.decode(errors="backslashreplace"), shown


def reason_name(entry: QuarantineEntry) -> str:
    """Return why a notice waits, in a word: its signature, or which of its values is broken."""
    if not entry.authentic:
        return WRONG_SIGNATURE
    name, equals, _ = entry.reason.partition("=")
    return f"broken {name}" if equals and name.isalpha() else "broken parameters"


def charges(raw: bytes) -> int:
    """Return the charges in a notice, in millionths of a US cent, as far as they are amounts at all."""
    values = dict(notification.parse_pairs(raw))
    found = (values[name] for name in _CHARGES if name in values)
    return sum(amounts.millionths(value) for value in found if _AMOUNT.fullmatch(value))
