"""What operators did: the kinds of their events, and which of them were undone."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from domain.events.operator_events import OPERATOR_EVENTS as TOPICS
from projections.schema.tables import OPERATOR_EVENTS

KINDS = tuple(sorted(topic.partition(":")[2] for topic in TOPICS))
"""The kinds, as the column ``kind`` of the read model ``operator-events`` has them."""


def undoing_positions(connection: Connection, positions: Sequence[int]) -> dict[int, int]:
    """Return the position of the event that undid each of some operator events; those that count are not in it.

    If an event was undone more than once, its last undoing is returned.
    """
    undone = OPERATOR_EVENTS.c.reverses
    wanted = select(undone, func.max(OPERATOR_EVENTS.c.position)).where(undone.in_(positions)).group_by(undone)
    return {int(of): int(position) for of, position in connection.execute(wanted)}
