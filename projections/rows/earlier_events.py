"""Pages of events, completed with the earlier events of their streams."""

from domain.events.log_row import LogRow
from domain.ledger import Ledger

PAGE_SIZE = 4000


def prepend_earlier_events(ledger: Ledger, streams: dict[str, list[LogRow]]) -> None:
    """Complete each call's stream: put the events of earlier pages before those given."""
    cut = [(stream, rows[0].version) for stream, rows in streams.items() if rows[0].version > 1]
    earlier: dict[str, list[LogRow]] = {}
    for row in ledger.store.events_before_versions(cut):
        earlier.setdefault(row.stream, []).append(row)
    for stream, rows in earlier.items():
        streams[stream] = rows + streams[stream]
