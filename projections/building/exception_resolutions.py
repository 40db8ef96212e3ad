"""That exceptions of notices that are no call's were resolved: noted in their rows once those are there.

A call's exceptions are made with their resolutions, from the call's own stream; these come from another one.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, update

from domain.events.operator_events import ExceptionResolved
from projections.schema.tables import EXCEPTIONS


def apply_resolutions(connection: Connection, resolutions: Iterable[tuple[int, ExceptionResolved]]) -> None:
    """Note what operators said of exceptions, given with the acts' positions, in whatever order."""
    for _, act in sorted(resolutions):
        by, reason = ("", "") if act.reopened else (act.by, act.reason)
        connection.execute(
            update(EXCEPTIONS)
            .where(EXCEPTIONS.c.flag == act.flag, EXCEPTIONS.c.position == act.position)
            .values(resolved_by=by, resolution=reason)
        )
