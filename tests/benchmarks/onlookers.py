"""Open live pages, so many of them: a lean client that takes in what the service pushes, as fast as it comes.

A process of its own. It says so once every page has its first frame, reads on until its input ends, and then tells as JSON
how many frames and bytes came.
"""

import asyncio
import sys

import msgspec
import uvloop

SECONDS_MAX = 60
FIRST_FRAME = b"event: reset"


class Seen(msgspec.Struct):
    """What all pages together were sent."""

    frames: int = 0
    bytes: int = 0


async def look(port: int, token: str, seen: Seen) -> asyncio.Task[None]:
    """Open a page, wait for its first frame, and read on in the background."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /live/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        "Accept: text/event-stream\r\n\r\n".encode()
    )
    received = b""
    while FIRST_FRAME not in received:
        chunk = await reader.read(1 << 16)
        assert chunk, received
        received += chunk

    async def read_on() -> None:
        while chunk := await reader.read(1 << 18):
            seen.bytes += len(chunk)
            seen.frames += chunk.count(b"\nevent: ")
        writer.close()  # Not before: a writer that nobody holds closes its connection.

    return asyncio.create_task(read_on())


async def main(port: int, token: str, count: int) -> Seen:
    """Look on until the input ends."""
    seen = Seen()
    async with asyncio.timeout(SECONDS_MAX):
        reading = [await look(port, token, seen) for _ in range(count)]
    sys.stdout.write("all are there\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    assert not any(task.done() for task in reading), "a page was let go"
    for task in reading:
        task.cancel()
    return seen


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
