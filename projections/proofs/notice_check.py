"""What each stored notice shows of itself, without a tree: its delivery key, and, with the private key at hand, its signature.

So a digit that was changed in the store is found even in a ledger that never signed a checkpoint.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from domain.events.codec import UnknownEventShape, decode_notice
from domain.events.log_row import LogRow
from domain.events.notice_events import Notice, notice_key
from domain.events.operator_events import OPERATOR_EVENTS
from domain.notices.signature import FORMULAS, digest, fingerprint
from projections.proofs.log_spans import LogFinding


class CheckedNotices(NamedTuple):
    """The problems of some notices, and the sum of their delivery keys.

    ``signed`` signatures were checked, of ``unchecked`` ones the key is not at hand.
    """

    findings: list[LogFinding]
    signed: int
    unchecked: int
    key_sum: int


class NoticeCheck:
    """Makes delivery keys of notices, and checks their signatures with private keys."""

    def __init__(self, private_keys: Sequence[str] = ()) -> None:
        """Check signatures by ``private_keys``; without any, none is checked."""
        self._keys = {fingerprint(key): key for key in private_keys}

    def check(self, events: Sequence[LogRow]) -> CheckedNotices:
        """Check the notices among some events."""
        findings: list[LogFinding] = []
        signed = unchecked = 0
        keys: list[tuple[bytes, int]] = []
        for position, _, _, topic, state in events:
            if topic in OPERATOR_EVENTS:
                continue
            try:
                notice = decode_notice(state)
            except (UnknownEventShape, TypeError) as error:
                findings.append(LogFinding(position, f"the event at position {position} cannot be read: {error}"))
                continue
            keys.append((notice_key(notice), position))
            if notice.formula in FORMULAS:
                private_key = self._keys.get(notice.key)
                if private_key is None:
                    unchecked += 1
                    continue
                signed += 1
                if not _fits_signature(notice, private_key):
                    what = f"the notice at position {position} does not fit its signature ({notice.formula})"
                    findings.append(LogFinding(position, what))
        return CheckedNotices(findings, signed, unchecked, weigh_keys(keys))


def keys_of(events: Sequence[LogRow]) -> dict[bytes, int]:
    """Return the delivery keys of the notices among some events that can be read, with their positions."""
    keys: dict[bytes, int] = {}
    for event in events:
        if event.topic not in OPERATOR_EVENTS:
            with suppress(UnknownEventShape, TypeError):
                keys[notice_key(decode_notice(event.state))] = event.position
    return keys


def weigh_keys(keys: Iterable[tuple[bytes, int]]) -> int:
    """Return the sum of delivery keys (hashes), each times the position of its notice."""
    read = int.from_bytes
    return sum([read(key) * position for key, position in keys])


def _fits_signature(notice: Notice, private_key: str) -> bool:
    given = [value.lower() for name, value in notice.params if name == "sig"]
    return given == [digest(notice.formula, notice.params, private_key)]
