"""Open live pages, so many of them: a lean client that takes in what the service pushes, as fast as it comes.

A process of its own. It says so once every page has its first frame, reads on until its input ends, and then tells as JSON
how many frames and bytes came.
"""

import asyncio
import sys

import msgspec
import uvloop

SECONDS_MAX = 60


class Seen(msgspec.Struct):
    """What all pages together were sent."""

    frames: int = 0
    bytes: int = 0


async def look(port: int, token: str, seen: Seen, is_there: asyncio.Event) -> None:
    """Have a page open for ever: the service lets it go now and then, and it comes again, as browsers do."""
    asked = f"GET /live/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        while chunk := await reader.read(1 << 18):
            seen.bytes += len(chunk)
            seen.frames += chunk.count(b"\nevent: ")
            if b"\nevent: " in chunk:
                is_there.set()
        writer.close()
        assert is_there.is_set(), "the service does not answer with a page's events"


async def main(port: int, token: str, count: int) -> Seen:
    """Look on until the input ends."""
    seen = Seen()
    there = [asyncio.Event() for _ in range(count)]
    async with asyncio.TaskGroup() as pages:
        looking = [pages.create_task(look(port, token, seen, is_there)) for is_there in there]
        async with asyncio.timeout(SECONDS_MAX):
            for is_there in there:
                await is_there.wait()
        sys.stdout.write("all are there\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        for page in looking:
            page.cancel()
    return seen


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
