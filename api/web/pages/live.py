"""The live page: the page itself, complete without JavaScript, and the event stream that keeps it current."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.application.read_model_pool import ReadModelPool
from api.web.auth.guard import GuardedRoute, Role
from api.web.live.feed import LiveFeed
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from api.web.problems import problem
from domain import times
from domain.calls.correlation import CorrelationWindow
from domain.text import is_whole_number
from projections.queries.call_health import MISSING_CDR, STALE, longest_overdue

EVENTS = "/live/events"
LABELS = {"in-progress": "in progress", "ended": "just ended", STALE: "stale", MISSING_CDR: "missing their CDR"}
RETRY_AFTER_SECONDS = 10


def routes() -> list[GuardedRoute]:
    """Return the live page and its events."""
    return [
        GuardedRoute("/", live, Role.READ, name="live"),
        GuardedRoute(EVENTS, events, Role.READ, name="live_events"),
    ]


@with_error_pages
def live(request: Request) -> Response:
    """Show the calls as they are now, or the overdue ones."""
    asked = request.query_params.get("state", "")
    state = asked if asked in LABELS else ""
    tag = request.query_params.get("tag", "")
    window = request.app.state.live_poller.poll()
    reach, now = request.app.state.ledger.options.window, times.now()
    late = state in (STALE, MISSING_CDR)
    return render(
        request,
        "live.html",
        window=window,
        now=now,
        now_millis=now // 1000,
        state=state,
        labels=LABELS,
        tag=tag,
        live=[row for row in window.live if tag in ("", row.tag)],
        ended=[row for row in window.ended if tag in ("", row.tag)],
        late_list=late,
        late=_longest_overdue(request.app.state.read_models, reach, state, tag, now) if late else [],
        silent=lambda last_at: in_words(now - last_at),
        age=in_words(reach.max_age),
        grace=in_words(reach.grace),
        events=EVENTS,
    )


def _longest_overdue(shelf: ReadModelPool, reach: CorrelationWindow, state: str, tag: str, now: int) -> Sequence[Any]:
    with shelf.session() as room:
        return longest_overdue(room.connection, reach, state, tag, now)


async def events(request: Request) -> Response:
    """Send updates from the page's position on: ``Last-Event-ID``, or ``after`` at first."""
    feed: LiveFeed = request.app.state.feed
    if feed.is_full:
        return problem(503, "too many live pages are open", {"Retry-After": str(RETRY_AFTER_SECONDS)})
    told = request.headers.get("last-event-id") or request.query_params.get("after", "")
    after = int(told) if is_whole_number(told) else None
    stream = feed.stream(after, whole=request.state.identity.sees_pii)
    # A proxy that buffers answers would hold the events back.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def in_words(micros: int) -> str:
    """Return a length of time in the largest unit that it fills: ``5 min``, ``24 h``, ``3 days``."""
    seconds = micros // times.SECOND
    for unit, length, least in (("days", 86_400, 2 * 86_400), ("h", 3600, 3600), ("min", 60, 60)):
        if seconds >= least:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
