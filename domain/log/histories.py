"""The histories of many streams, read with few queries: one for each would cost most of the time of reading them."""

from collections.abc import Sequence
from uuid import UUID

from domain.events.log_row import LogRow
from domain.log.contract import Log

# Above that of any event: a store keeps versions as whole numbers of 64 bits.
VERSION_MAX = (1 << 63) - 1


def read_histories(store: Log, streams: Sequence[UUID]) -> dict[UUID, list[LogRow]]:
    """Return the events of each of these streams, in order; none for a stream without events.

    All are in memory at once: ask for some hundreds of calls at a time. Raises StoreUnavailable.
    """
    found: dict[UUID, list[LogRow]] = {stream: [] for stream in streams}
    by_name = {stream.hex: rows for stream, rows in found.items()}
    for row in store.events_before_versions([(name, VERSION_MAX) for name in by_name]):
        by_name[row.stream].append(row)
    return found
