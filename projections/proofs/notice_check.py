"""What each stored notice shows of itself, without a tree: its delivery key, and, with the private key at hand, its signature.

So a digit that was changed in the store is found even in a ledger that never signed a checkpoint.
"""

from collections.abc import Sequence
from typing import NamedTuple

from domain.events.codec import UnknownEventShape, decode_notice
from domain.events.log_row import LogRow
from domain.events.notice_events import Notice
from domain.events.operator_events import OPERATOR_EVENTS
from domain.log.contract import Log
from domain.notices.notification import delivery_key, unsigned_key
from domain.notices.signature import FORMULAS, digest, fingerprint
from projections.proofs.log_spans import LogFinding


class CheckedNotices(NamedTuple):
    """The problems of some notices; ``signed`` signatures were checked, of ``unchecked`` ones the key is not at hand."""

    findings: list[LogFinding]
    signed: int
    unchecked: int


class NoticeCheck:
    """Checks notices against the delivery keys of their log, and against private keys."""

    def __init__(self, log: Log, private_keys: Sequence[str] = ()) -> None:
        """Check the notices of ``log``; without ``private_keys`` no signature is checked."""
        self._log = log
        self._keys = {fingerprint(key): key for key in private_keys}

    def check(self, events: Sequence[LogRow]) -> CheckedNotices:
        """Check the notices among some events."""
        findings: list[LogFinding] = []
        keys: dict[bytes, int] = {}
        signed = unchecked = 0
        for position, _, _, topic, state in events:
            if topic in OPERATOR_EVENTS:
                continue
            try:
                notice = decode_notice(state)
            except (UnknownEventShape, TypeError) as error:
                findings.append(LogFinding(position, f"the event at position {position} cannot be read: {error}"))
                continue
            keys[key_of(notice)] = position
            if notice.formula in FORMULAS:
                private_key = self._keys.get(notice.key)
                if private_key is None:
                    unchecked += 1
                    continue
                signed += 1
                if not _fits_signature(notice, private_key):
                    what = f"the notice at position {position} does not fit its signature ({notice.formula})"
                    findings.append(LogFinding(position, what))
        return CheckedNotices(findings + self._compare(keys), signed, unchecked)

    def _compare(self, keys: dict[bytes, int]) -> list[LogFinding]:
        """Return the problems of delivery keys, made from notices, that the log does not have for their positions."""
        kept = self._log.positions([*keys])
        if kept == keys:
            return []
        return [
            LogFinding(
                position,
                f"the notice at position {position} does not fit its delivery key: got"
                f" {f'position {kept[key]}' if key in kept else 'none'} for it",
            )
            for key, position in keys.items()
            if kept.get(key) != position
        ]


def _fits_signature(notice: Notice, private_key: str) -> bool:
    given = [value.lower() for name, value in notice.params if name == "sig"]
    return given == [digest(notice.formula, notice.params, private_key)]


def key_of(notice: Notice) -> bytes:
    """Return the delivery key of a stored notice, made from its parameters."""
    if notice.voucher is None:
        return delivery_key(notice.params)
    return unsigned_key(notice.params, notice.source, notice.voucher.row)
