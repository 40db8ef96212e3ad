"""To which log read models belong: with their position they keep a digest of the event there (SPEC 9.11).

A position alone does not tell: a log that was restored from an older copy soon has other events at the same positions.
"""

from hashlib import sha256

from domain.errors import StoreUnavailable
from domain.events.log_row import LogRow
from domain.log.contract import Log
from domain.proofs.entry import encode_entry

# Read models at position 0 were made of no event: they fit every log.
NO_EVENT = ""
CURE = (
    "Bring back the newest copy of the log (`tringledger restore`), or, where what is missing is lost for good, say so"
    " (`tringledger proof fork`) and then run `tringledger rebuild`"
)


def event_digest(event: LogRow) -> str:
    """Return the SHA-256, in hex, of an event's proof entry; NO_EVENT where its state is not stored as bytes."""
    return sha256(encode_entry(*event)).hexdigest() if isinstance(event.state, bytes) else NO_EVENT


def digest_at(log: Log, position: int) -> str:
    """Return the digest of the event at a position; raises StoreUnavailable where the log has none."""
    if not position:
        return NO_EVENT
    for event in log.page(position - 1, 1, position):
        return event_digest(event)
    msg = f"the log has no event at position {position}: expected one up to its head {log.head()}"
    raise StoreUnavailable(msg)


def name_mismatch(log: Log, position: int, digest: str) -> str:
    """Say how a log differs from the one that read models were made of, and what to do; empty where it is the same."""
    if not position:
        return ""
    events = log.page(position - 1, 1, position)
    if events and digest and event_digest(events[0]) == digest:
        return ""
    if events:
        what = f"were made of another log: the event at position {position} is not the one that they know"
        return f"{what}: was the log restored from an older copy, or swapped with another? {CURE}"
    head = log.head()
    where = f"ahead of the log's head {head}" if position > head else "where the log has no event"
    return f"are at position {position}, {where}: was the log restored from an older copy? {CURE}"
