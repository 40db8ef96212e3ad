"""One poll of the read models for all open pages of a process, and one frame for all of them.

However many pages are open, the read models are polled as often as for one, and each frame is made once: sending it
to a page only writes bytes. The last few frames are kept for all pages together. A page that falls further behind
gets the whole window instead, so no page can make the service keep anything for it. Nothing is polled while no page
is open.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from time import monotonic

from api.web.hidden_address import hide_address
from api.web.live import server_sent_events as frames
from api.web.live.poller import LivePoller
from api.web.live.window import LiveWindow

LOOK_SECONDS = 0.5
# Under load a page need not change faster than a person can read.
BUSY_LOOK_SECONDS = 1.0
BUSY_ROWS = 20
FAILED_LOOK_SECONDS = 2.0
PING_SECONDS = 15.0
# A page that is open longer reconnects, and so its user is checked again.
STREAM_SECONDS_MAX = 60.0
FRAMES_KEPT = 8
LISTENERS_MAX = 1000

_log = logging.getLogger(__name__)


class SseFrame:
    """The next update for all pages: bytes made on demand, with phone numbers whole or masked."""

    def __init__(self, make: Callable[[bool], bytes]) -> None:
        """``make`` returns the bytes, given whether phone numbers are whole."""
        self._make = make
        self._made: dict[bool, bytes] = {}

    def read(self, *, whole: bool) -> bytes:
        """Return the frame, for users who may see phone numbers or for those who may not."""
        if whole not in self._made:
            self._made[whole] = self._make(whole)
        return self._made[whole]


class LiveFeed:
    """Polls while pages are open and sends updates to all of them; used on one event loop."""

    def __init__(self, looker: LivePoller, url: str = "") -> None:
        """Use a poller; pages are not told the address of the store, ``url``."""
        self._looker = looker
        self._url = url
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None
        self._window: LiveWindow | None = None
        self._frames: deque[SseFrame] = deque(maxlen=FRAMES_KEPT)
        self._number = 0
        self._news = asyncio.Event()
        self._failure = ""
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether the limit of open pages is reached, or the service is stopping."""
        return self._closed or self._listeners >= LISTENERS_MAX

    def close(self) -> None:
        """End all streams, so that stopping the service waits for none."""
        self._closed = True
        self._wake()

    async def stream(self, after: int | None, *, whole: bool) -> AsyncIterator[bytes]:
        """Yield what a page at a position needs, or everything for a page that has nothing yet, then each update."""
        until = monotonic() + STREAM_SECONDS_MAX
        self._listeners += 1
        try:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look_on())
            yield frames.RETRY
            while self._window is None and not self._closed:
                if self._failure:
                    yield frames.failure_frame(hide_address(self._failure, self._url))
                await self._news.wait()
            first, seen = self._first(after, whole=whole), self._number
            yield first
            while not self._closed and monotonic() < until:
                waiting, seen = self._after(seen), self._number
                for frame in waiting:
                    yield frame.read(whole=whole)
                if seen == self._number:
                    await self._news.wait()
        finally:
            self._listeners -= 1

    def _first(self, after: int | None, *, whole: bool) -> bytes:
        """Return a page's first frame: everything, or what changed after its position."""
        if self._window is None:  # The service is stopping.
            return frames.PING
        if after is None:
            return frames.reset_frame(self._window, whole=whole)
        return frames.resumption_frames(self._window, after, whole=whole)

    def _after(self, seen: int) -> list[SseFrame]:
        """Return the frames after a number; if they are gone, one with everything."""
        missed = self._number - seen
        if missed > len(self._frames) and (window := self._window):
            return [SseFrame(lambda whole: frames.reset_frame(window, whole=whole))]
        return list(self._frames)[-missed:] if missed else []

    async def _look_on(self) -> None:
        """Poll until no page is open."""
        spoken_at = monotonic()
        while self._listeners and not self._closed:
            spoke, pause = await self._look()
            if not spoke and monotonic() > spoken_at + PING_SECONDS:
                self._publish(SseFrame(lambda _whole: frames.PING))
                spoke = True
            spoken_at = monotonic() if spoke else spoken_at
            await asyncio.sleep(pause)
        self._looking = self._window = None
        self._frames.clear()

    async def _look(self) -> tuple[bool, float]:
        """Poll once and publish what is new; return whether something was, and how long to wait."""
        try:
            window = await asyncio.to_thread(self._looker.poll)
        except Exception as error:  # noqa: BLE001 - whatever it is must be told, and polling continues
            return self._fail(str(error)), FAILED_LOOK_SECONDS
        before, self._window = self._window, window
        recovered, self._failure = bool(self._failure), ""
        if before is None:
            self._wake()
        elif before is not window or recovered:
            self._publish(SseFrame(lambda whole: frames.change_frame(before, window, whole=whole)))
        moved = len(window.since(before.position)) if before else 0
        return before is not window, BUSY_LOOK_SECONDS if moved > BUSY_ROWS else LOOK_SECONDS

    def _fail(self, failure: str) -> bool:
        is_new, self._failure = failure != self._failure and not self._closed, failure
        if is_new:
            _log.error("the live pages stand still: %s", failure)
            self._publish(SseFrame(lambda _whole: frames.failure_frame(hide_address(failure, self._url))))
        return is_new

    def _publish(self, frame: SseFrame) -> None:
        self._frames.append(frame)
        self._number += 1
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
