"""The read models ``voicemails`` and ``channels``: one row per notice that is no call's (SPEC 4, 7)."""

from domain.events.notice_events import Notice


def voicemail_row(position: int, notice: Notice) -> tuple[object, ...]:
    """Return a voicemail notice as a row of the table."""
    values = dict(notice.params)
    return (position, notice.received_at, *(values.get(name, "") for name in ("email", "voicemail", "tag", "src")))


def channel_row(position: int, notice: Notice) -> tuple[object, ...]:
    """Return the notice of an expired channel as a row of the table."""
    values = dict(notice.params)
    return (position, notice.received_at, values.get("src", ""), values.get("tag", ""))
