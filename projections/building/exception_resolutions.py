"""Resolutions of exceptions that belong to no call, written to their rows.

A call's exceptions get their resolutions from the call's own stream; these come from another stream.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, update

from domain.events.operator_events import ExceptionResolved
from projections.schema.tables import EXCEPTIONS


def apply_resolutions(connection: Connection, resolutions: Iterable[tuple[int, ExceptionResolved]]) -> None:
    """Apply resolutions, given with their positions in any order; the latest one of an exception wins."""
    for _, operator_event in sorted(resolutions):
        by, reason = ("", "") if operator_event.reopened else (operator_event.by, operator_event.reason)
        connection.execute(
            update(EXCEPTIONS)
            .where(EXCEPTIONS.c.flag == operator_event.flag, EXCEPTIONS.c.position == operator_event.position)
            .values(resolved_by=by, resolution=reason)
        )
