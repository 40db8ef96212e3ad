"""The immutable events, one per accepted notification, and their permanent topics (SPEC 4).

Commands of operators are events too, see ``operator_events.py``.

A stored event is its stream's id, its version there, its topic, and its notice as JSON. The shape of a notice carries
its own version ``v``: a new shape gets a new number and an upcast from the old one, and nothing stored is ever edited.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal
from uuid import UUID

import msgspec
from eventsourcing.utils import register_topic

from domain.notices.call_notice import LineKey
from domain.notices.notification import delivery_key, row_claim, unsigned_key
from domain.notices.signature import covers_content


class Voucher(msgspec.Struct, frozen=True, gc=False):
    """Who vouches for a notice without a signature, and why, and which row of its source it was.

    ``row`` is ``id=ID``, or ``at=TIME n=NUMBER`` for a row without an id: its time, and its number among those equal to it.
    """

    by: str
    reason: str
    row: str


class Notice(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An accepted notification as it is stored.

    ``v`` is the version of this shape, the oldest that can hold the notice: 2 has a ``voucher``, 1 has none.
    ``received_at`` and ``recorded_at`` are in microseconds since the epoch, UTC; ``source`` is ``callback``,
    ``import:NAME`` or ``reprocess``; ``formula`` and ``key`` (a fingerprint) tell how it was found authentic; ``params``
    are all parameters as delivered; ``line``, ``ordinal`` and ``rule`` (SPEC 6) tell where it was placed, for what belongs
    to a call; ``nonce_reused`` is the position of the event that first had this ``r``, where the signature covers nothing
    else; ``voucher`` stands in for the signature of an imported row that has none.
    """

    v: Literal[1, 2]
    received_at: int
    recorded_at: int
    source: str
    formula: str
    key: str
    params: list[tuple[str, str]]
    line: LineKey | None = None
    ordinal: int = 0
    rule: int = 0
    nonce_reused: int = 0
    voucher: Voucher | None = None


class NoticeRecorded(msgspec.Struct, frozen=True):
    """The event of a notification: its stream, its version there, and the notice."""

    TOPIC: ClassVar[str]
    originator_id: UUID
    originator_version: int
    notice: Notice


class CallStatusRecorded(NoticeRecorded, frozen=True):
    """A live call status came in; in its call's stream."""

    TOPIC: ClassVar[str] = "tringledger:call-status-recorded"


class CdrRecorded(NoticeRecorded, frozen=True):
    """A call's final record came in; in its call's stream."""

    TOPIC: ClassVar[str] = "tringledger:cdr-recorded"


class VoicemailRecorded(NoticeRecorded, frozen=True):
    """A voicemail is available; in its mailbox's stream."""

    TOPIC: ClassVar[str] = "tringledger:voicemail-recorded"


class ChannelDeletionRecorded(NoticeRecorded, frozen=True):
    """A channel expired; in the stream of channel notices of its number."""

    TOPIC: ClassVar[str] = "tringledger:channel-deletion-recorded"


class UnrecognisedRecorded(NoticeRecorded, frozen=True):
    """A notice of no type that TringMe's page names; kept and flagged, in the one stream of such notices."""

    TOPIC: ClassVar[str] = "tringledger:unrecognised-recorded"


EVENTS: dict[str, type[NoticeRecorded]] = {
    "callstatus": CallStatusRecorded,
    "cdr": CdrRecorded,
    "voicemail": VoicemailRecorded,
    "deletechannel": ChannelDeletionRecorded,
}
for _event in (CallStatusRecorded, CdrRecorded, VoicemailRecorded, ChannelDeletionRecorded, UnrecognisedRecorded):
    _kind: type[NoticeRecorded] = _event
    register_topic(_kind.TOPIC, _kind)


def notice_claim(source: str, formula: str | None, voucher: Voucher | None, values: Mapping[str, str]) -> str | None:
    """Return the signature, in lower case, if its ``formula`` covers the content; for a row without signature its source and id (SPEC 9.3, 9.6).

    ``values`` are the parameters; without a formula nothing fitted. None where nothing is claimed.
    """
    if voucher is not None:
        return row_claim(source, voucher.row)
    used = values.get("sig")
    return used.lower() if used and formula and covers_content(formula) else None


def notice_key(notice: Notice) -> bytes:
    """Return the delivery key of a stored notice, made from its parameters."""
    if notice.voucher is None:
        return delivery_key(notice.params)
    return unsigned_key(notice.params, notice.source, notice.voucher.row)
