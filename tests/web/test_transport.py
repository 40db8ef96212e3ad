"""Below the application, on real sockets: heads that are too large or too slow, and half-open connections (SPEC 9.4)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, cast

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from api.web.transport import ConnectionLimits, LimitedProtocol

WHOLE = b"GET /notify HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
HALF = b"GET /notify HTTP/1.1\r\nhost: "


class Door(NamedTuple):
    """A server that answers ``ok``, what it counted, and its samples."""

    port: int
    counts: Counter[str]
    samples: list[tuple[int, str, str, bytes]]

    async def connect(self, *said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and send something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for each in said:
            writer.write(each)
            await writer.drain()
        return reader, writer

    async def ask(self, *said: bytes) -> bytes:
        """Send something on a connection of its own, and return all that comes back until its end."""
        reader, writer = await self.connect(*said)
        with suppress(ConnectionError):
            found = await reader.read()
            writer.close()
            return found
        return b""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Take the body, and say ``ok``."""
    while (await receive()).get("more_body"):
        pass
    await PlainTextResponse("ok")(scope, receive, send)


@asynccontextmanager
async def opened(half_open_max: int = 512, head_seconds: float = 30) -> AsyncIterator[Door]:
    counts: Counter[str] = Counter()
    samples: list[tuple[int, str, str, bytes]] = []
    limits = ConnectionLimits(half_open_max, counts, lambda *refused: samples.append(refused), head_seconds)
    http = cast("type[asyncio.Protocol]", partial(LimitedProtocol, limits))
    server = uvicorn.Server(uvicorn.Config(answer, port=0, http=http, lifespan="off", log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    yield Door(server.servers[0].sockets[0].getsockname()[1], counts, samples)
    server.should_exit = True
    await serving


def at_a_door(scenario: Callable[[Door], Awaitable[None]], **limits: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20), opened(**limits) as door:
            await scenario(door)

    asyncio.run(bounded())


def test_a_whole_head_is_answered_however_it_is_cut() -> None:
    async def scenario(door: Door) -> None:
        assert b"200 OK" in await door.ask(WHOLE)
        assert b"200 OK" in await door.ask(WHOLE[:7], WHOLE[7:20], WHOLE[20:])
        assert (door.counts, door.samples) == (Counter(), [])

    at_a_door(scenario)


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_head_over_64_kib_ends_the_connection(*, is_whole: bool) -> None:
    async def scenario(door: Door) -> None:
        head = HALF + b"x" * (66 * 1024) + (b"\r\n\r\n" if is_whole else b"")
        assert (await door.ask(head)).startswith(b"HTTP/1.1 431 Head too large\r\n")
        assert door.counts == {"refused with 431 before the application": 1}
        ((status, reason, address, content),) = door.samples
        assert (status, address, content[:28], len(content)) == (431, "127.0.0.1", HALF, 16 * 1024)
        assert "at most 65536 bytes" in reason

    at_a_door(scenario)


def test_a_small_head_with_a_large_body_is_none_over_the_limit() -> None:
    async def scenario(door: Door) -> None:
        size = 200 * 1024
        head = b"POST /notify HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size
        assert b"200 OK" in await door.ask(head + b"y" * size)

    at_a_door(scenario)


CHUNKED = b"POST /notify HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"


def test_chunks_and_small_trailers_are_taken_however_they_are_cut() -> None:
    async def scenario(door: Door) -> None:
        chunks = (b"%x\r\n" % 70_000 + b"y" * 70_000 + b"\r\n") * 3
        said = CHUNKED + chunks + b"0\r\nx-one: 1\r\nx-two: " + b"z" * 20_000 + b"\r\n\r\n"
        for cut in (len(said), len(CHUNKED) + 7, len(CHUNKED) + 70_008, len(said) - 20_004, len(said) - 2):
            assert b"200 OK" in await door.ask(said[:cut], said[cut:])
        assert (door.counts, door.samples) == (Counter(), [])

    at_a_door(scenario)


@pytest.mark.parametrize("trailers", [b"x: " + b"z" * 70_000, b"x: y\r\n" * 12_000], ids=["one", "many"])
def test_trailers_over_64_kib_end_the_connection(trailers: bytes) -> None:
    async def scenario(door: Door) -> None:
        reader, writer = await door.connect(CHUNKED, b"5\r\nhello\r\n0\r\n")
        await asyncio.sleep(0.05)
        with suppress(ConnectionError):
            # Endless ones: the connection ends before they do.
            for _ in range(50):
                writer.write(trailers)
                await writer.drain()
            assert (await reader.read()).startswith(b"HTTP/1.1 431 Head too large\r\n")
        writer.close()
        assert door.counts == {"refused with 431 before the application": 1}
        assert "trailers" in door.samples[0][1]
        assert len(door.samples[0][3]) == 16 * 1024

    at_a_door(scenario)


def test_trailers_over_64_kib_at_the_end_are_answered() -> None:
    async def scenario(door: Door) -> None:
        reader, writer = await door.connect(CHUNKED, b"0\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"x: " + b"z" * 70_000)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 Head too large\r\n")
        writer.close()

    at_a_door(scenario)


def test_a_head_that_comes_too_slowly_ends_the_connection() -> None:
    async def scenario(door: Door) -> None:
        assert (await door.ask(HALF)).startswith(b"HTTP/1.1 408 ")
        assert door.counts == {"refused with 408 before the application": 1}
        assert door.samples[0][3] == HALF

    at_a_door(scenario, head_seconds=0.1)


def test_so_does_a_later_head_on_a_connection_that_was_used() -> None:
    async def scenario(door: Door) -> None:
        reader, writer = await door.connect(b"POST /notify HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n" + HALF)
        found = await reader.read()
        writer.close()
        assert found.index(b"HTTP/1.1 200 ") < found.index(b"HTTP/1.1 408 ")

    at_a_door(scenario, head_seconds=0.1)


def test_a_connection_that_says_nothing_ends_without_an_answer() -> None:
    async def scenario(door: Door) -> None:
        assert await door.ask() == b""
        assert door.samples == []

    at_a_door(scenario, head_seconds=0.1)


def test_what_is_no_http_is_counted_and_leaves_a_sample() -> None:
    async def scenario(door: Door) -> None:
        assert (await door.ask(b"\x16\x03\x01 hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert door.counts == {"refused with 400 before the application": 1}
        assert door.samples[0][3] == b"\x16\x03\x01 hello\r\n\r\n"

    at_a_door(scenario)


def test_half_open_connections_leave_room_for_callbacks() -> None:
    async def scenario(door: Door) -> None:
        half_open = [await door.connect(HALF) for _ in range(30)]
        assert b"200 OK" in await door.ask(WHOLE)
        ended = [reader for reader, _ in half_open if reader.at_eof() or reader.exception()]
        await asyncio.sleep(0)
        assert door.counts["half-open connections ended"] == 21
        assert len(ended) >= 20, "the oldest go, and no more than must"
        for _, writer in half_open:
            writer.close()

    at_a_door(scenario, half_open_max=10)


def test_a_connection_whose_head_is_whole_is_half_open_no_longer() -> None:
    async def scenario(door: Door) -> None:
        for _ in range(30):
            assert b"200 OK" in await door.ask(WHOLE)
        assert door.counts == {}

    at_a_door(scenario, half_open_max=1)
