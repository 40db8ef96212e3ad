"""What each stored notice shows of itself, without a tree: its delivery key, and, with the private key at hand, its signature.

So a digit that was changed in the store is found even in a ledger that never signed a checkpoint.
"""

from collections.abc import Sequence

from domain.events.codec import UnknownEventShape, decode_notice
from domain.events.log_row import LogRow
from domain.events.notice_events import Notice
from domain.events.operator_events import OPERATOR_EVENTS
from domain.log.contract import Log
from domain.notices.notification import delivery_key, unsigned_key
from domain.notices.signature import FORMULAS, digest, fingerprint
from projections.proofs.log_check import LogCheck


class NoticeCheck:
    """Checks notices against the delivery keys of their log, and against private keys.

    ``signed`` counts the signatures that were checked, ``unchecked`` those whose key is not at hand.
    """

    def __init__(self, log: Log, private_keys: Sequence[str] = ()) -> None:
        """Check the notices of ``log``; without ``private_keys`` no signature is checked."""
        self._log = log
        self._keys = {fingerprint(key): key for key in private_keys}
        self.signed = 0
        self.unchecked = 0

    def look(self, check: LogCheck, events: Sequence[LogRow]) -> None:
        """Add the problems of some events to a check."""
        keys: dict[bytes, int] = {}
        for event in events:
            if event.topic in OPERATOR_EVENTS:
                continue
            try:
                notice = decode_notice(event.state)
            except (UnknownEventShape, TypeError) as error:
                check.add(event.position, f"the event at position {event.position} cannot be read: {error}")
                continue
            keys[key_of(notice)] = event.position
            if not self._has_fitting_signature(notice):
                what = f"the notice at position {event.position} does not fit its signature ({notice.formula})"
                check.add(event.position, what)
        kept = self._log.positions([*keys])
        for key, position in keys.items():
            if kept.get(key) != position:
                found = f"position {kept[key]}" if key in kept else "none"
                what = f"the notice at position {position} does not fit its delivery key: got {found} for it"
                check.add(position, what)

    def _has_fitting_signature(self, notice: Notice) -> bool:
        if notice.formula not in FORMULAS:
            return True
        key = self._keys.get(notice.key)
        if key is None:
            self.unchecked += 1
            return True
        self.signed += 1
        given = [value.lower() for name, value in notice.params if name == "sig"]
        return given == [digest(notice.formula, notice.params, key)]


def key_of(notice: Notice) -> bytes:
    """Return the delivery key of a stored notice, made from its parameters."""
    if notice.voucher is None:
        return delivery_key(notice.params)
    return unsigned_key(notice.params, notice.source, notice.voucher.row)
