"""The feed of the live pages: one look for all of them, what each is sent, and what happens to who is slow, late or masked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec
import pytest

from api.web.live import feed as feeds
from api.web.live.feed import LiveFeed
from api.web.live.poller import LivePoller
from api.web.live.window import ROWS_MAX, LiveCall, LiveCounts, LiveWindow, trim
from domain.errors import StoreUnavailable
from tests.support.asgi_service import on_a_loop

PAGES = 200
NUMBER = "18585550001"


class Scripted:
    """A looker that sees what the test has put there, and counts how often it looks."""

    def __init__(self) -> None:
        self.window = window(1)
        self.looks = 0
        self.error: Exception | None = None

    def poll(self) -> LiveWindow:
        self.looks += 1
        if self.error:
            raise self.error
        return self.window


def row(number: int, at: int, state: str = "in-progress") -> LiveCall:
    ended = None if state == "in-progress" else at
    return LiveCall(f"call-{number}", state, "", "sales", NUMBER, number, ended, at, "SRCANSWERED", at, "", at)


def window(position: int, *rows: LiveCall, floor: int = 0) -> LiveWindow:
    return LiveWindow(position, floor, rows, LiveCounts(live=len(rows)))


@pytest.fixture
def looker(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Return what the feed looks with, and let it look often."""
    for name in ("LOOK_SECONDS", "BUSY_LOOK_SECONDS", "FAILED_LOOK_SECONDS"):
        monkeypatch.setattr(feeds, name, 0.01)
    return Scripted()


def fed(looker: Scripted) -> LiveFeed:
    return LiveFeed(cast("LivePoller", looker))


async def event(stream: AsyncIterator[bytes]) -> tuple[str, str, Any]:
    """Return the next event that a page is sent: its name, its id, and what it says."""
    while True:
        frame = (await asyncio.wait_for(anext(stream), 5)).decode()
        fields = dict(line.split(": ", 1) for line in frame.strip().splitlines() if not line.startswith(":"))
        if "event" in fields:
            return fields["event"], fields.get("id", ""), msgspec.json.decode(fields["data"])


def ids(said: Any) -> list[str]:
    return [each["id"] for each in said["rows"]]


def scenario(run: Callable[[], Any]) -> None:
    on_a_loop(run)


def test_a_page_gets_everything_first_and_then_what_changes_or_goes(looker: Scripted) -> None:
    async def run() -> None:
        looker.window = window(5, row(1, 4), row(2, 5))
        stream = fed(looker).stream(None, whole=True)
        name, position, said = await event(stream)
        assert (name, position, ids(said)) == ("reset", "5", ["call-1", "call-2"])
        looker.window = window(7, row(2, 7, "ended"), row(3, 6))
        name, position, said = await event(stream)
        assert (name, position, ids(said), said["gone"]) == ("change", "7", ["call-2", "call-3"], ["call-1"])

    scenario(run)


def test_a_page_that_comes_again_gets_what_moved_since_and_learns_what_is_left(looker: Scripted) -> None:
    async def run() -> None:
        looker.window = window(7, row(1, 4), row(2, 7), floor=3)
        name, position, said = await event(fed(looker).stream(5, whole=True))
        assert (name, position, ids(said), said["keep"]) == ("change", "7", ["call-2"], ["call-1", "call-2"])

    scenario(run)


@pytest.mark.parametrize("after", [2, 8])
def test_a_page_that_stands_where_nobody_remembers_gets_everything_anew(looker: Scripted, after: int) -> None:
    async def run() -> None:
        looker.window = window(7, row(1, 4), row(2, 7), floor=3)
        assert (await event(fed(looker).stream(after, whole=True)))[0] == "reset"

    scenario(run)


def test_numbers_are_masked_in_the_frames_of_who_may_not_see_them(looker: Scripted) -> None:
    async def run() -> None:
        looker.window = window(5, msgspec.structs.replace(row(1, 5), last=NUMBER))
        feed = fed(looker)
        whole, masked = feed.stream(None, whole=True), feed.stream(None, whole=False)
        for position in (5, 6):
            looker.window = window(position, msgspec.structs.replace(row(1, position), last=NUMBER))
            rows = [(await event(stream))[2]["rows"][0] for stream in (whole, masked)]
            for name in ("number", "last"):
                assert rows[0][name] == NUMBER
                assert "••••" in rows[1][name]

    scenario(run)


def test_however_many_pages_are_open_one_look_and_one_frame_serve_all(looker: Scripted) -> None:
    async def run() -> None:
        feed = fed(looker)
        streams = [feed.stream(None, whole=True) for _ in range(PAGES)]
        for stream in streams:
            await event(stream)
        before = looker.looks
        looker.window = window(2, row(1, 2))
        frames = await asyncio.gather(*(anext(stream) for stream in streams))
        assert all(frame is frames[0] for frame in frames)
        assert looker.looks - before < PAGES / 10

    scenario(run)


def test_a_page_that_is_too_slow_gets_everything_anew_and_nothing_is_kept_for_it(looker: Scripted) -> None:
    async def run() -> None:
        feed = fed(looker)
        slow, quick = feed.stream(None, whole=True), feed.stream(None, whole=True)
        await event(slow)
        await event(quick)
        for position in range(2, 2 * feeds.FRAMES_KEPT + 2):
            looker.window = window(position, row(1, position))
            assert (await event(quick))[:2] == ("change", str(position))
        assert (await event(slow))[:2] == ("reset", str(position))
        assert len(feed._frames) == feeds.FRAMES_KEPT

    scenario(run)


def test_while_no_page_is_open_nobody_looks(looker: Scripted) -> None:
    async def run() -> None:
        feed = fed(looker)
        stream = cast("Any", feed.stream(None, whole=True))
        await event(stream)
        await stream.aclose()
        await asyncio.sleep(0.1)
        before = looker.looks
        await asyncio.sleep(0.1)
        assert looker.looks == before
        await event(feed.stream(None, whole=True))

    scenario(run)


def test_read_models_that_cannot_be_read_are_told_of_and_so_is_that_they_can_be_again(looker: Scripted) -> None:
    async def run() -> None:
        looker.error = StoreUnavailable("the disk is gone")
        feed = fed(looker)
        stream = feed.stream(None, whole=True)
        assert (await event(stream))[::2] == ("failing", {"reason": "the disk is gone"})
        looker.error = None
        assert (await event(stream))[0] == "reset"
        looker.error = RuntimeError("odd")
        assert (await event(stream))[0] == "failing"
        looker.error = None
        assert (await event(stream))[0] == "change"

    scenario(run)


def test_a_quiet_page_hears_now_and_then_that_the_service_is_there(
    looker: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PING_SECONDS", 0.05)

    async def run() -> None:
        stream = fed(looker).stream(None, whole=True)
        await event(stream)
        assert (await asyncio.wait_for(anext(stream), 5)).startswith(b":")

    scenario(run)


def test_a_page_must_come_again_after_a_while_so_that_it_is_asked_who_looks(
    looker: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PING_SECONDS", 0.02)
    monkeypatch.setattr(feeds, "STREAM_SECONDS_MAX", 0.1)

    async def run() -> None:
        async with asyncio.timeout(5):
            async for _ in fed(looker).stream(None, whole=True):
                pass

    scenario(run)


def test_a_service_that_stops_lets_all_pages_go_and_takes_no_more(looker: Scripted) -> None:
    async def run() -> None:
        feed = fed(looker)
        stream = feed.stream(None, whole=True)
        await event(stream)
        feed.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(stream), 5)
        assert feed.is_full

    scenario(run)


def test_a_window_keeps_of_each_kind_the_calls_that_moved_last() -> None:
    live = [row(number, number) for number in range(ROWS_MAX + 3)]
    ended = [row(number, number, "ended") for number in range(1000, 1002)]
    kept = trim([*live, *ended])
    assert {each.at for each in kept if each.is_live} == set(range(3, ROWS_MAX + 3))
    assert [each.at for each in kept if not each.is_live] == [1001, 1000]
