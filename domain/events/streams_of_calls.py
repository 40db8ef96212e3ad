"""The events that are in streams of calls."""

from domain.events.log_row import LogRow
from domain.events.notice_events import CallStatusRecorded, CdrRecorded
from domain.events.operator_events import CALL_CORRECTIONS
from domain.events.streams import RESOLUTIONS

NOTICES_OF_CALLS = frozenset((CallStatusRecorded.TOPIC, CdrRecorded.TOPIC))


_RESOLUTIONS = RESOLUTIONS.hex


def is_of_call(row: LogRow) -> bool:
    """Whether an event is in a call's stream."""
    return row.topic in NOTICES_OF_CALLS or (row.topic in CALL_CORRECTIONS and row.stream != _RESOLUTIONS)
