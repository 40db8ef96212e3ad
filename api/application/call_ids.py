"""Finds the call whose id begins with some digits, in the log itself, so that the answer is always up to date."""

from uuid import UUID

from domain.errors import LedgerError, WrongUsage
from domain.events.codec import decode_notice
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.streams_of_calls import NOTICES_OF_CALLS, is_of_call
from domain.ledger import Ledger

DIGITS = 32
CANDIDATES_MAX = 10
# Greater than every digit of an id.
_AFTER_ANY_DIGIT = "g"


class NoSuchCall(LedgerError):
    """No call's id begins with these digits."""


class AmbiguousCallId(WrongUsage):
    """The ids of several calls begin with these digits; the message names them."""


def find_call_id(ledger: Ledger, digits: str) -> UUID:
    """Return the id of the call that begins with hexadecimal digits in lower case; a whole id is returned as it is.

    Raises NoSuchCall and AmbiguousCallId.
    """
    if len(digits) == DIGITS:
        return UUID(digits)
    found = _calls_beginning_with(ledger, digits)
    if not found:
        msg = f"no call in this ledger has an id that begins with {digits}"
        raise NoSuchCall(msg)
    if len(found) > 1:
        named = ", ".join(f"{UUID(stream)} (tag {tag!r})" for stream, tag in list(found.items())[:CANDIDATES_MAX])
        more = ", and more" if len(found) > CANDIDATES_MAX else ""
        msg = f"got {digits}, with which several calls begin; expected more digits of one of {named}{more}"
        raise AmbiguousCallId(msg)
    return UUID(next(iter(found)))


def _calls_beginning_with(ledger: Ledger, digits: str) -> dict[str, str]:
    """Return the tag of each call, by its stream: one more than are named, at most."""
    found: dict[str, str] = {}
    for row in ledger.store.read_by_stream(POSITION_MAX, digits, digits + _AFTER_ANY_DIGIT):
        if row.stream not in found and is_of_call(row):
            found[row.stream] = _tag(row)
            if len(found) > CANDIDATES_MAX:
                break
    return found


def _tag(row: LogRow) -> str:
    """Return the tag of a call's first event; a correction has none."""
    return dict(decode_notice(row.state).params).get("tag", "") if row.topic in NOTICES_OF_CALLS else ""
