"""What a stretch of the log yields: the rows of all read models, gathered from calls folded whole and from single notices.

Nothing here knows how rows are written, so that the workers of a rebuild start without the database library.
"""

from collections.abc import Iterable

from domain import call as calls_fold
from domain.call import Call
from domain.errors import LedgerError, UnknownShape
from domain.events import (
    CallStatusRecorded,
    CdrRecorded,
    ChannelDeletionRecorded,
    UnrecognisedRecorded,
    VoicemailRecorded,
    decode_notice,
)
from domain.log import LogRow
from projections import call_rows, cdrs, exceptions, notices

CALL_TOPICS = (CallStatusRecorded.TOPIC, CdrRecorded.TOPIC)
NO_CALL_TOPICS = (VoicemailRecorded.TOPIC, ChannelDeletionRecorded.TOPIC, UnrecognisedRecorded.TOPIC)

Row = tuple[object, ...]


class ProjectionStopped(LedgerError):
    """An event could not be projected, so the read models stand still before it."""


class Page:
    """The rows that a stretch of events yields, gathered for all read models."""

    def __init__(self, timezone: str) -> None:
        """Begin an empty page, for the billing time zone."""
        self._timezone = timezone
        self.calls: list[Row] = []
        self.cdrs: list[Row] = []
        self.exceptions: list[Row] = []
        self.voicemails: list[Row] = []
        self.channels: list[Row] = []

    def add_call(self, call: Call) -> None:
        """Add the rows of a call."""
        self.calls.append(call_rows.row(call))
        cdr = cdrs.row(call, self._timezone)
        if cdr:
            self.cdrs.append(cdr)
        self.exceptions += exceptions.rows(call)

    def add_notice(self, row: LogRow) -> None:
        """Add the rows of a notice that is no call's; one that no read model shows adds none."""
        try:
            notice = decode_notice(row.state)
        except UnknownShape as error:
            raise _stopped(row, error) from error
        if row.topic not in NO_CALL_TOPICS:
            raise _stopped(row, f"its topic {row.topic!r} is not known")
        if row.topic == VoicemailRecorded.TOPIC:
            self.voicemails.append(notices.voicemail_row(row.position, notice))
        elif row.topic == ChannelDeletionRecorded.TOPIC:
            self.channels.append(notices.channel_row(row.position, notice))
        recognised = row.topic != UnrecognisedRecorded.TOPIC
        self.exceptions += exceptions.rows_of_notice(row.position, notice, recognised=recognised)


def fold(rows: Iterable[LogRow]) -> Call:
    """Fold the events of one call, in order; raises ProjectionStopped at the one that cannot be folded."""
    call: Call | None = None
    for row in rows:
        try:
            notice = decode_notice(row.state)
            call = call or calls_fold.begin(row.stream_id, notice)
            call.apply(row.position, notice)
        except Exception as error:
            raise _stopped(row, error) from error
    assert call is not None
    return call


def _stopped(row: LogRow, error: object) -> ProjectionStopped:
    return ProjectionStopped(f"the event at position {row.position} cannot be projected: {error}")
