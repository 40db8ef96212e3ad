"""The rows of the read models ``voicemails`` and ``channels``: one per notice that belongs to no call (SPEC 4, 7)."""

import msgspec

from domain.events.notice_events import Notice
from domain.notices.line_number import stored_src


class VoicemailRow(msgspec.Struct, frozen=True, gc=False):
    """A voicemail; ``received_at`` is microseconds, UTC."""

    position: int
    received_at: int
    email: str
    voicemail: str
    tag: str
    src: str


class ChannelRow(msgspec.Struct, frozen=True, gc=False):
    """A channel that expired; ``received_at`` is microseconds, UTC."""

    position: int
    received_at: int
    src: str
    tag: str


def voicemail_row(position: int, notice: Notice, line_rule: int) -> VoicemailRow:
    """Return the row of a voicemail's notice."""
    values = dict(notice.params)
    return VoicemailRow(
        position=position,
        received_at=notice.received_at,
        email=values.get("email", ""),
        voicemail=values.get("voicemail", ""),
        tag=values.get("tag", ""),
        src=stored_src(values.get("src", ""), line_rule),
    )


def channel_row(position: int, notice: Notice, line_rule: int) -> ChannelRow:
    """Return the row of an expired channel's notice."""
    values = dict(notice.params)
    return ChannelRow(
        position, notice.received_at, src=stored_src(values.get("src", ""), line_rule), tag=values.get("tag", "")
    )
