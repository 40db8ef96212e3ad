"""Which read models a request reads: the current ones, or those of an earlier position of the log (``asof``)."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from api.application.read_model_pool import ReadSession
from domain.ledger import Ledger
from projections.queries.log_points import LogPoint, resolve_point
from projections.queries.time_points import describe_time

AS_OF = "asof"


def read_as_of(ledger: Ledger, text: str) -> LogPoint | None:
    """Return the point of the log that a text names, None for an empty text; raises SelectionError as ``resolve_point`` does."""
    return resolve_point(ledger, text) if text else None


@contextmanager
def read_session_as_of(request: Request, point: LogPoint | None) -> Iterator[ReadSession]:
    """Begin a read session as of a point; None, or one that the current read models have not passed, means the current ones.

    Raises PastNotReady while the read models of that point are being built.
    """
    state = request.app.state
    with state.read_models.session() as room:
        is_current = point is None or point.position >= room.position
        if is_current:
            yield room
    if not is_current:
        assert point
        with state.past.session(point.position) as room:
            yield room


def describe_as_of(point: LogPoint | None, timezone: str) -> str:
    """Return in words as of when a page is; empty for the present."""
    if point is None:
        return ""
    last = ", the last so far" if point.is_last else ""
    return f"As known at {describe_time(point.at, timezone)}, {timezone}: position {point.position} of the log{last}"
